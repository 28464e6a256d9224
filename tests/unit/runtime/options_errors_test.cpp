// Every way to get an option wrong, and the exact line that the user reads.
#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/runtime/options_fixture.h"

using namespace process_test;

namespace {

// The line for a file of these contents, without the program and the path.
std::string file_error(const std::string& text) {
  const ConfigFile file(text);
  Program p;
  const Outcome r = p.run({"--config", file.path()});
  CHECK(r.exit_code == 78);
  CHECK(r.out == "");
  const std::string start = "genai-broker: " + file.path() + ":";
  INFO(r.err);
  REQUIRE(r.err.starts_with(start));
  REQUIRE(r.err.ends_with('\n'));
  return r.err.substr(start.size(), r.err.size() - start.size() - 1);
}

// The same for arguments, without the program and the hint.
std::string usage_error(std::vector<std::string> arguments) {
  Program p;
  const Outcome r = p.run(std::move(arguments));
  CHECK(r.exit_code == 2);
  CHECK(r.out == "");
  const std::string start = "genai-broker: ", end = " (see genai-broker --help)\n";
  INFO(r.err);
  REQUIRE(r.err.starts_with(start));
  REQUIRE(r.err.ends_with(end));
  return r.err.substr(start.size(), r.err.size() - start.size() - end.size());
}

std::string env_error(const std::string& name, const std::string& value) {
  const SetEnv variable(name, value);
  Program p;
  const Outcome r = p.run({});
  CHECK(r.exit_code == 78);
  return r.err;
}

}  // namespace

TEST_CASE("file: unknown keys") {
  CHECK(file_error("slots = 1\n\nslotz = 2\n") == "3: key 'slotz': unknown");
  CHECK(file_error("lost-ms = 200\n") == "1: key 'lost-ms': unknown; the key is 'lost_ms'");
  CHECK(file_error("[nodes]\nslots = 2\n") == "1: key 'nodes': unknown");
  CHECK(file_error("config = 'x'\n") == "1: key 'config': unknown");
  CHECK(file_error("\"a\\nb\" = 1\n") == "1: key 'a\\nb': unknown");
}

TEST_CASE("file: wrong types") {
  CHECK(file_error("slots = 'two'\n") ==
        "1: key 'slots': must be a whole number from 1 to 1024, not 'two'");
  CHECK(file_error("slots = 2.5\n") ==
        "1: key 'slots': must be a whole number from 1 to 1024, not 2.5");
  CHECK(file_error("slots = true\n") ==
        "1: key 'slots': must be a whole number from 1 to 1024, not true");
  CHECK(file_error("slots = 2026-11-23\n") ==
        "1: key 'slots': must be a whole number from 1 to 1024, not a date or time");
  CHECK(file_error("slots.a = 1\n") ==
        "1: key 'slots': must be a whole number from 1 to 1024, not a table");
  CHECK(file_error("ratio = 'x'\n") == "1: key 'ratio': must be a number from 0 to 1, not 'x'");
  CHECK(file_error("echo = 1\n") == "1: key 'echo': must be true or false, not 1");
  CHECK(file_error("node_id = 7\n") == "1: key 'node_id': must be a text, not 7");
  CHECK(file_error("node_id = ['a']\n") == "1: key 'node_id': must be a text, not [a]");
  CHECK(file_error("broker = 7\n") == "1: key 'broker': must be a text or a list of texts, not 7");
  CHECK(file_error("broker = ['a', 7]\n") ==
        "1: key 'broker': must be a text or a list of texts, not a list of other things");
  CHECK(file_error("mode = 1\n") == "1: key 'mode': must be one of fast, safe, not 1");
}

TEST_CASE("file: out of range") {
  CHECK(file_error("\n\nlost_ms = 5\n") ==
        "3: key 'lost_ms': must be a whole number from 100 to 600000, not 5");
  CHECK(file_error("lost_ms = 600001\n") ==
        "1: key 'lost_ms': must be a whole number from 100 to 600000, not 600001");
  CHECK(file_error("slots = 0\n") ==
        "1: key 'slots': must be a whole number from 1 to 1024, not 0");
  CHECK(file_error("max_nodes = -1\n") ==
        "1: key 'max_nodes': must be a whole number from 0 to 9223372036854775807, not -1");
  CHECK(file_error("task_timeout_s = -1\n") ==
        "1: key 'task_timeout_s': must be a whole number from 0 to 315360000, not -1");
  CHECK(file_error("ratio = 1.5\n") == "1: key 'ratio': must be a number from 0 to 1, not 1.5");
  CHECK(file_error("ratio = nan\n") == "1: key 'ratio': must be a number from 0 to 1, not nan");
  CHECK(file_error("mode = 'slow'\n") == "1: key 'mode': must be one of fast, safe, not 'slow'");
}

TEST_CASE("file: duplicate keys, at the second one") {
  CHECK(file_error("slots = 1\nmode = 'fast'\nslots = 2\n") == "3: key 'slots': given twice");
}

TEST_CASE("file: not TOML") {
  CHECK(file_error("slots = 1\nmode = fast\n").starts_with("2: not valid TOML: "));
  CHECK(file_error("slots\n").starts_with("1: not valid TOML: "));
  CHECK(file_error("node_id = 'open\n").starts_with("1: not valid TOML: "));
  CHECK(file_error("node_id = '\xFF'\n").starts_with("1: not valid TOML: "));
}

TEST_CASE("file: the first line that is wrong is reported") {
  CHECK(file_error("slots = 0\nlost_ms = 0\n").starts_with("1: key 'slots'"));
  CHECK(file_error("lost_ms = 0\nslots = 0\n").starts_with("1: key 'lost_ms'"));
}

TEST_CASE("file: a wrong value is reported even where another source would win") {
  const ConfigFile file("slots = 0\n");
  Program p;
  CHECK(p.run({"--config", file.path(), "--slots", "2"}).exit_code == 78);
}

TEST_CASE("file: not readable") {
  const ConfigFile file("");
  Program p, q, r;
  const Outcome missing = p.run({"--config", file.directory() + "/none.toml"});
  CHECK(missing.exit_code == 78);
  CHECK(missing.err == "genai-broker: " + file.directory() +
                           "/none.toml: cannot read the configuration file: No such file or "
                           "directory\n");
  const Outcome directory = q.run({"--config", file.directory()});
  CHECK(directory.exit_code == 78);
  CHECK(directory.err == "genai-broker: " + file.directory() +
                             ": cannot read the configuration file: Is a directory\n");
  const Outcome endless = r.run({"--config", "/dev/zero"});
  CHECK(endless.exit_code == 78);
  CHECK(endless.err ==
        "genai-broker: /dev/zero: cannot read the configuration file: it is longer than 1048576 "
        "bytes\n");
}

TEST_CASE("environment: names the variable") {
  CHECK(env_error("GENAI_BROKER_SLOTS", "two") ==
        "genai-broker: GENAI_BROKER_SLOTS: must be a whole number from 1 to 1024, not 'two'\n");
  CHECK(env_error("GENAI_BROKER_SLOTS", "2000") ==
        "genai-broker: GENAI_BROKER_SLOTS: must be a whole number from 1 to 1024, not 2000\n");
  CHECK(env_error("GENAI_BROKER_ECHO", "maybe") ==
        "genai-broker: GENAI_BROKER_ECHO: must be true or false, not 'maybe'\n");
  CHECK(env_error("GENAI_BROKER_LOG_LEVEL", "loud") ==
        "genai-broker: GENAI_BROKER_LOG_LEVEL: must be one of trace, debug, info, warn, error, not "
        "'loud'\n");
}

TEST_CASE("command line: values") {
  CHECK(usage_error({"--slots", "abc"}) ==
        "--slots: must be a whole number from 1 to 1024, not 'abc'");
  CHECK(usage_error({"--slots", "2x"}) ==
        "--slots: must be a whole number from 1 to 1024, not '2x'");
  CHECK(usage_error({"--slots", ""}) == "--slots: must be a whole number from 1 to 1024, not ''");
  CHECK(usage_error({"--slots", "99999999999999999999"}) ==
        "--slots: must be a whole number from 1 to 1024, not '99999999999999999999'");
  CHECK(usage_error({"--lost-ms", "99"}) ==
        "--lost-ms: must be a whole number from 100 to 600000, not 99");
  CHECK(usage_error({"--ratio", "inf"}) == "--ratio: must be a number from 0 to 1, not inf");
  CHECK(usage_error({"--echo=maybe"}) == "--echo: must be true or false, not 'maybe'");
  CHECK(usage_error({"--mode", "\x1b[2J"}) ==
        "--mode: must be one of fast, safe, not '\\u001b[2J'");
  CHECK(usage_error({"--log-format", "xml"}) ==
        "--log-format: must be one of auto, text, json, not 'xml'");
}

TEST_CASE("command line: usage") {
  CHECK(usage_error({"--slotz", "2"}) == "unknown option '--slotz'");
  CHECK(usage_error({"stray"}) == "unknown argument 'stray'");
  CHECK(usage_error({"--slots"}) == "--slots: needs a value");
  CHECK(usage_error({"--broker"}) == "--broker: needs a value");
}

TEST_CASE("fields that do not fit together: the winning source is blamed") {
  const std::string what = "suspect-ms must be less than lost-ms";
  CHECK(file_error("slots = 1\nsuspect_ms = 6000\n") == "2: key 'suspect_ms': " + what);
  CHECK(file_error("lost_ms = 2000\n") == "1: key 'lost_ms': " + what);
  CHECK(usage_error({"--lost-ms", "2000"}) == "--lost-ms: " + what);
  CHECK(env_error("GENAI_BROKER_LOST_MS", "2000") ==
        "genai-broker: GENAI_BROKER_LOST_MS: " + what + "\n");

  const ConfigFile file("suspect_ms = 4000\n");
  Program p;
  const Outcome r = p.run({"--config", file.path(), "--lost-ms", "4000"});
  CHECK(r.exit_code == 2);
  CHECK(r.err == "genai-broker: --lost-ms: " + what + " (see genai-broker --help)\n");
}

TEST_CASE("a default that does not do is the command line's lack") {
  Options options("genai-node", "Runs tasks.");
  std::string id;
  options.add("node-id", id, "A name");
  options.on_validate([&]() -> std::optional<OptionProblem> {
    if (!id.empty()) return std::nullopt;
    return OptionProblem{{"node-id"}, "must be given"};
  });
  std::ostringstream err;
  auto* const old = std::cerr.rdbuf(err.rdbuf());
  const char* const argv[] = {"genai-node"};
  const auto exit_code = options.parse(1, argv);
  std::cerr.rdbuf(old);
  CHECK(exit_code == 2);
  CHECK(err.str() == "genai-node: --node-id: must be given (see genai-node --help)\n");
}

TEST_CASE("a range wider than the variable does not wrap around") {
  Options options("genai-x", "X.");
  std::uint32_t small = 1;
  options.add("small", small, "Small", Range{0, 5'000'000'000});
  std::ostringstream err;
  auto* const old = std::cerr.rdbuf(err.rdbuf());
  const char* const argv[] = {"genai-x", "--small", "4294967296"};
  const auto exit_code = options.parse(3, argv);
  std::cerr.rdbuf(old);
  CHECK(exit_code == 2);
  CHECK(small == 1);
}

TEST_CASE("a size or a time that its variable cannot hold is refused in the option's unit") {
  Options options("genai-x", "X.");
  std::uint64_t room = 7;
  options.add("room-mib", Mebibytes{room}, "Room");
  std::ostringstream err;
  auto* const old = std::cerr.rdbuf(err.rdbuf());
  const char* const argv[] = {"genai-x", "--room-mib", "9223372036854775807"};
  const auto exit_code = options.parse(3, argv);
  std::cerr.rdbuf(old);
  CHECK(exit_code == 2);
  CHECK(err.str() ==
        "genai-x: --room-mib: must be a whole number from 0 to 8796093022207, not "
        "9223372036854775807 (see genai-x --help)\n");
  CHECK(room == 7);
}
