// A broker-like program's options, run with given arguments, environment and file.
#pragma once

#include <stdlib.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "protocol/runtime/options.h"
#include "tests/unit/temp_folder.h"

namespace process_test {

using namespace genai::runtime;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Settings {
  std::int64_t offset = -7;
  std::uint32_t slots = 1;
  std::size_t max_nodes = 1000;
  double ratio = 0.25;
  bool echo = false;
  std::string node_id;
  std::string mode = "fast";
  std::vector<std::string> broker{"tcp://127.0.0.1:7701"};
  milliseconds suspect{3000};
  milliseconds lost{5000};
  seconds task_timeout{600};
};

struct Outcome {
  std::optional<int> exit_code;
  std::string out;
  std::string err;
};

// A temporary directory with one configuration file in it.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) : path_(folder_.file("broker.toml", text)) {}
  const std::string& path() const { return path_; }
  const std::string& directory() const { return folder_.path; }

 private:
  genai::test::TempFolder folder_;
  std::string path_;
};

class SetEnv {
 public:
  SetEnv(std::string name, const std::string& value) : name_(std::move(name)) {
    setenv(name_.c_str(), value.c_str(), 1);
  }
  ~SetEnv() { unsetenv(name_.c_str()); }
  SetEnv(const SetEnv&) = delete;
  SetEnv& operator=(const SetEnv&) = delete;

 private:
  std::string name_;
};

struct Program {
  Settings settings;
  Options options{"genai-broker", "Keeps the node sessions.", "1.2.3"};

  Program() {
    options.add("offset", settings.offset, "An offset");
    options.add("slots", settings.slots, "Slots", Range{1, 1024});
    options.add("max-nodes", settings.max_nodes, "Most nodes");
    options.add("ratio", settings.ratio, "A ratio", Range{0.0, 1.0});
    options.add("echo", settings.echo, "Answer with the payload");
    options.add("node-id", settings.node_id, "A name");
    options.add("mode", settings.mode, "A|B choice", Choices{{"fast", "safe"}});
    options.add("broker", settings.broker, "A broker's endpoint");
    options.add("suspect-ms", settings.suspect, "Silence until suspect", Range{100, 600000});
    options.add("lost-ms", settings.lost, "Silence until lost", Range{100, 600000});
    options.add("task-timeout-s", settings.task_timeout, "Longest run");
    options.on_validate([this]() -> std::optional<OptionProblem> {
      if (settings.suspect < settings.lost) return std::nullopt;
      return OptionProblem{{"suspect-ms", "lost-ms"}, "suspect-ms must be less than lost-ms"};
    });
  }

  Outcome run(std::vector<std::string> arguments) {
    std::vector<const char*> argv{"/usr/bin/genai-broker"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::ostringstream out, err;
    auto* const old_out = std::cout.rdbuf(out.rdbuf());
    auto* const old_err = std::cerr.rdbuf(err.rdbuf());
    const auto exit_code = options.parse(static_cast<int>(argv.size()), argv.data());
    std::cout.rdbuf(old_out);
    std::cerr.rdbuf(old_err);
    return {exit_code, out.str(), err.str()};
  }
};

}  // namespace process_test
