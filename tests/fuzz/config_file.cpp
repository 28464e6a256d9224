// Any bytes as a configuration file: its options are set or one line says what is wrong.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/base/check.h"
#include "protocol/runtime/options.h"

using namespace genai::runtime;

namespace {

struct Program {
  std::int32_t count = 5;
  std::uint64_t bytes = 1;
  double ratio = 0.5;
  bool on = false;
  std::string mode = "a", name;
  std::vector<std::string> names;
  std::chrono::milliseconds wait{100};

  std::optional<int> parse(const std::string& path) {
    Options options("fuzz", "Reads a file.");
    options.add("count", count, "A number", Range{1, 10});
    options.add("bytes", bytes, "A large number");
    options.add("ratio", ratio, "A fraction", Range{0.0, 1.0});
    options.add("on", on, "A flag");
    options.add("mode", mode, "A choice", Choices{{"a", "b"}});
    options.add("name", name, "A text");
    options.add("names", names, "Texts");
    options.add("wait-ms", wait, "A time", Range{1, 60'000});
    const char* argv[] = {"fuzz", "--config", path.c_str()};
    return options.parse(3, argv);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("config", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  GENAI_CHECK(ftruncate(file, 0) == 0);
  GENAI_CHECK(pwrite(file, data, size, 0) == static_cast<ssize_t>(size));

  std::ostringstream said;
  std::streambuf* const errors = std::cerr.rdbuf(said.rdbuf());
  Program program;
  const auto exit_code = program.parse(path);
  std::cerr.rdbuf(errors);

  const std::string text = said.str();
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; };
  if (exit_code) {
    GENAI_CHECK(*exit_code == kExitBadConfig);
    GENAI_CHECK(std::ranges::count_if(text, is_control) == 1 && text.back() == '\n');
  } else {
    GENAI_CHECK(text.empty());
    GENAI_CHECK(program.count >= 1 && program.count <= 10);
    GENAI_CHECK(program.ratio >= 0 && program.ratio <= 1);
    GENAI_CHECK(program.mode == "a" || program.mode == "b");
    GENAI_CHECK(program.wait.count() >= 1 && program.wait.count() <= 60'000);
  }
  return 0;
}
