// Options, arguments and subcommands of a program without a configuration file.
#include "protocol/runtime/command_line.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

using namespace genai::runtime;

namespace {

using Texts = std::vector<std::string>;
using Numbers = std::vector<std::uint64_t>;

/// A program with everything that a command line can have.
struct Program {
  std::string store, folder, name;
  Numbers windows{1, 100};
  Texts roles, scenarios;
  std::optional<double> ratio;
  std::optional<std::uint8_t> priority;
  bool all = false;
  std::uint64_t limit = 100;
  CommandLine line{"genai-x", "Does it.", "1.2.3"};

  Program() {
    const Command program = line.program();
    program.require_subcommand();
    const Command run = program.subcommand("run", "Runs");
    run.show_defaults();
    run.option("store", store, "Where", Choices{{"memory", "sqlite"}});
    run.option("folder", folder, "Which", ExistingFolder());
    run.option("name", name, "Of it", NotEmpty());
    run.option("window", windows, "Open at once", Range(1, 1000));
    run.option("ratio", ratio, "A ratio", Range::at_least(0));
    run.option("priority", priority, "Its priority", Range(0, 9));
    const Argument every = run.option("all", all, "All of them");
    run.option("limit", limit, "So many").excludes(every);
    run.argument("scenario", scenarios, "Which", Choices{{"a", "b"}});
    const Command keys = program.subcommand("keys", "Keys");
    keys.subcommand("add", "Adds one").option("roles", roles, "Its roles", Choices{{"r", "w"}});
    const Command hidden = program.subcommand("hop", "");
    hidden.hide();
  }

  struct Outcome {
    std::optional<int> exit_code;
    std::string out, err;
  };

  Outcome parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "genai-x");
    std::ostringstream out, err;
    auto* const old_out = std::cout.rdbuf(out.rdbuf());
    auto* const old_err = std::cerr.rdbuf(err.rdbuf());
    const auto exit_code = line.parse(static_cast<int>(arguments.size()), arguments.data());
    std::cout.rdbuf(old_out);
    std::cerr.rdbuf(old_err);
    return {exit_code, out.str(), err.str()};
  }
};

/// The line for arguments of `run`, without the program and the hint.
std::string wrong(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "run");
  Program p;
  const auto outcome = p.parse(std::move(arguments));
  CHECK(outcome.exit_code == kExitUsage);
  CHECK(outcome.out.empty());
  const std::string start = "genai-x: ", end = " (see genai-x run --help)\n";
  INFO(outcome.err);
  REQUIRE(outcome.err.starts_with(start));
  REQUIRE(outcome.err.ends_with(end));
  return outcome.err.substr(start.size(), outcome.err.size() - start.size() - end.size());
}

}  // namespace

TEST_CASE("command line: every kind of variable is filled, and the others keep what they held") {
  Program p;
  CHECK_FALSE(p.parse({"run", "--store", "sqlite", "--folder", "/", "--name", "n", "--window", "5",
                       "--window=7", "--ratio", "0.5", "--priority", "9", "--all", "a", "b"})
                  .exit_code);
  CHECK(p.store == "sqlite");
  CHECK(p.folder == "/");
  CHECK(p.name == "n");
  CHECK(p.windows == Numbers{5, 7});
  CHECK(p.ratio == 0.5);
  CHECK(p.priority == std::uint8_t{9});
  CHECK(p.all);
  CHECK(p.limit == 100);
  CHECK(p.scenarios == Texts{"a", "b"});
  CHECK(p.line.given_command() == "run");
  Program q;
  CHECK_FALSE(q.parse({"run"}).exit_code);
  CHECK(q.windows == Numbers{1, 100});
  CHECK_FALSE(q.ratio);
}

TEST_CASE("command line: an option in seconds fills a number of milliseconds") {
  CommandLine line{"genai-x", "Does it.", "1.2.3"};
  std::uint64_t ttl_ms = 1, limit_ms = 1;
  line.program().option("ttl-s", Milliseconds{ttl_ms}, "Time", Range(1, 60));
  line.program().option("limit-s", Milliseconds{limit_ms}, "Limit", Range(1, 60));
  const char* const arguments[] = {"genai-x", "--ttl-s", "60"};
  CHECK_FALSE(line.parse(3, arguments));
  CHECK(ttl_ms == 60'000);
  CHECK(limit_ms == 1);
  CHECK_THROWS_AS(line.program().option("ttl-ms", Milliseconds{ttl_ms}, "Time"), std::logic_error);
}

TEST_CASE("command line: commas separate what can hold none") {
  Program p;
  CHECK_FALSE(p.parse({"keys", "add", "--roles", "r,w", "--roles", "r"}).exit_code);
  CHECK(p.roles == Texts{"r", "w", "r"});
  CHECK(p.line.given_command() == "keys add");
}

TEST_CASE("command line: what is wrong is said in one line") {
  CHECK(wrong({"--store", "paper"}) == "--store: must be one of memory, sqlite, not 'paper'");
  CHECK(wrong({"--folder", "/no/such"}) ==
        "--folder: must be a folder that exists, not '/no/such'");
  CHECK(wrong({"--name", ""}) == "--name: must not be empty");
  CHECK(wrong({"--name="}) == "--name: must not be empty");
  CHECK(wrong({"--name", "a", "--name", "b"}) == "--name: given twice");
  CHECK(wrong({"--window", "7", "--window", "0"}) ==
        "--window: must be a whole number from 1 to 1000, not 0");
  CHECK(wrong({"--window", "x"}) == "--window: must be a whole number from 1 to 1000, not 'x'");
  CHECK(wrong({"--ratio", "-1"}) == "--ratio: must be a number of 0 or more, not -1");
  CHECK(wrong({"--priority", "10"}) == "--priority: must be a whole number from 0 to 9, not 10");
  CHECK(wrong({"--limit"}) == "--limit: needs a value");
  CHECK(wrong({"--limit", "5", "--all"}).find("--limit") != std::string::npos);
  CHECK(wrong({"a", "c"}) == "scenario: must be one of a, b, not 'c'");
  CHECK(wrong({"--widow", "\x1b[2J"}) == "unknown option '--widow'");
}

TEST_CASE("command line: a subcommand that is missing, unknown or incomplete") {
  Program p, q;
  CHECK(p.parse({}).err == "genai-x: a subcommand is required (see genai-x --help)\n");
  CHECK(q.parse({"fly"}).exit_code == kExitUsage);
}

TEST_CASE("command line: help and version") {
  Program p, q;
  const auto help = p.parse({"run", "--help"});
  CHECK(help.exit_code == kExitOk);
  INFO(help.out);
  CHECK(help.out.find("--window N:1 to 1000 (repeatable)") != std::string::npos);
  CHECK(help.out.find("Open at once (default: 1, 100)") != std::string::npos);
  CHECK(help.out.find("--priority N:0 to 9") != std::string::npos);
  CHECK(help.out.find("--ratio X:0 or more") != std::string::npos);
  const auto program = q.parse({"--help"});
  CHECK(program.out.find("keys") != std::string::npos);
  CHECK(program.out.find("hop") == std::string::npos);
  Program r;
  CHECK(r.parse({"--version"}).out == "genai-x 1.2.3\n");
}
