#include "protocol/runtime/options.h"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "tests/unit/runtime/options_fixture.h"

using namespace process_test;
using Texts = std::vector<std::string>;

TEST_CASE("without any source the defaults stay") {
  Program p;
  const Outcome r = p.run({});
  CHECK_FALSE(r.exit_code);
  CHECK(r.out + r.err == "");
  CHECK(p.settings.slots == 1);
  CHECK(p.settings.lost == milliseconds(5000));
  CHECK(p.settings.broker == Texts{"tcp://127.0.0.1:7701"});
  CHECK_FALSE(p.options.is_given("slots"));
  CHECK(p.options.log_level() == LogLevel::kInfo);
  CHECK(p.options.log_format() == LogFormat::kAuto);
}

TEST_CASE("every kind of option from the command line") {
  Program p;
  const Outcome r = p.run({"--offset",
                           "-12",
                           "--slots=4",
                           "--max-nodes",
                           "5000000000",
                           "--ratio",
                           "1",
                           "--echo",
                           "--node-id",
                           "-dash",
                           "--mode",
                           "safe",
                           "--broker",
                           "a",
                           "--broker=[b]",
                           "--suspect-ms",
                           "100",
                           "--lost-ms",
                           "200",
                           "--task-timeout-s",
                           "30",
                           "--log-level",
                           "trace",
                           "--log-format",
                           "json"});
  CHECK(r.err == "");
  CHECK_FALSE(r.exit_code);
  CHECK(p.settings.offset == -12);
  CHECK(p.settings.slots == 4);
  CHECK(p.settings.max_nodes == 5000000000u);
  CHECK(p.settings.ratio == 1.0);
  CHECK(p.settings.echo);
  CHECK(p.settings.node_id == "-dash");
  CHECK(p.settings.mode == "safe");
  CHECK(p.settings.broker == Texts{"a", "[b]"});
  CHECK(p.settings.suspect == milliseconds(100));
  CHECK(p.settings.lost == milliseconds(200));
  CHECK(p.settings.task_timeout == seconds(30));
  CHECK(p.options.log_level() == LogLevel::kTrace);
  CHECK(p.options.log_format() == LogFormat::kJson);
  CHECK(p.options.is_given("slots"));
}

TEST_CASE("every kind of option from the file") {
  const ConfigFile file(
      "offset = -12\nslots = 0x10\nmax_nodes = 5000000000\nratio = 1\necho = true\n"
      "node_id = 'n, 1'\nmode = 'safe'\nbroker = ['a', 'b']\nsuspect_ms = 100\nlost_ms = 200\n"
      "task_timeout_s = 30\nlog_level = 'error'\nlog_format = 'text'\n");
  Program p;
  const Outcome r = p.run({"--config", file.path()});
  CHECK(r.err == "");
  CHECK_FALSE(r.exit_code);
  CHECK(p.settings.offset == -12);
  CHECK(p.settings.slots == 16);
  CHECK(p.settings.max_nodes == 5000000000u);
  CHECK(p.settings.ratio == 1.0);
  CHECK(p.settings.echo);
  CHECK(p.settings.node_id == "n, 1");
  CHECK(p.settings.mode == "safe");
  CHECK(p.settings.broker == Texts{"a", "b"});
  CHECK(p.settings.suspect == milliseconds(100));
  CHECK(p.settings.lost == milliseconds(200));
  CHECK(p.settings.task_timeout == seconds(30));
  CHECK(p.options.log_level() == LogLevel::kError);
  CHECK(p.options.log_format() == LogFormat::kText);
  CHECK(p.options.is_given("slots"));
}

TEST_CASE("a list in the file may be one text") {
  const ConfigFile file("broker = 'one'\n");
  Program p;
  CHECK_FALSE(p.run({"--config", file.path()}).exit_code);
  CHECK(p.settings.broker == Texts{"one"});
}

TEST_CASE("the environment, and a list in it") {
  const SetEnv slots("GENAI_BROKER_SLOTS", "9");
  const SetEnv ratio("GENAI_BROKER_RATIO", "0.5");
  const SetEnv echo("GENAI_BROKER_ECHO", "1");
  const SetEnv broker("GENAI_BROKER_BROKER", "a,b");
  const SetEnv empty("GENAI_BROKER_MODE", "");
  const SetEnv other("GENAI_BROKER_SERVICE_HOST", "10.0.0.1");
  Program p;
  const Outcome r = p.run({});
  CHECK(r.err == "");
  CHECK(p.settings.slots == 9);
  CHECK(p.settings.ratio == 0.5);
  CHECK(p.settings.echo);
  CHECK(p.settings.broker == Texts{"a", "b"});
  CHECK(p.settings.mode == "fast");
  CHECK(p.options.is_given("slots"));
  CHECK_FALSE(p.options.is_given("mode"));
}

TEST_CASE("file < environment < command line") {
  const ConfigFile file("slots = 2\nmode = 'safe'\nbroker = ['f']\nratio = 0.1\necho = true\n");
  const SetEnv config("GENAI_BROKER_CONFIG", file.path());
  const SetEnv slots("GENAI_BROKER_SLOTS", "3");
  const SetEnv broker("GENAI_BROKER_BROKER", "e1,e2");
  const SetEnv ratio("GENAI_BROKER_RATIO", "0.2");
  Program p;
  const Outcome r = p.run({"--slots", "4", "--broker", "c", "--echo=false"});
  CHECK(r.err == "");
  CHECK(p.settings.slots == 4);
  CHECK(p.settings.ratio == 0.2);
  CHECK(p.settings.mode == "safe");
  CHECK(p.settings.broker == Texts{"c"});
  CHECK_FALSE(p.settings.echo);
}

TEST_CASE("--config wins over the environment's file") {
  const ConfigFile one("slots = 2\n");
  const ConfigFile two("slots = 3\n");
  const SetEnv config("GENAI_BROKER_CONFIG", one.path());
  Program p;
  CHECK_FALSE(p.run({"--config", two.path()}).exit_code);
  CHECK(p.settings.slots == 3);
}

TEST_CASE("a value given twice on the command line: the last one counts") {
  Program p;
  CHECK_FALSE(p.run({"--slots", "2", "--slots", "3"}).exit_code);
  CHECK(p.settings.slots == 3);
}

TEST_CASE("an empty value is a value, not the next argument") {
  Program p;
  CHECK_FALSE(p.run({"--node-id=", "--slots", "3"}).exit_code);
  CHECK(p.settings.node_id == "");
  CHECK(p.options.is_given("node-id"));
  CHECK(p.settings.slots == 3);
}

TEST_CASE("--version") {
  Program p;
  const Outcome r = p.run({"--version"});
  CHECK(r.exit_code == 0);
  CHECK(r.out == "genai-broker 1.2.3\n");
  CHECK(std::string(kVersion).find('.') != std::string::npos);
}

TEST_CASE("--help names every option with its meaning, default, range and variable") {
  Program p;
  const Outcome r = p.run({"--help"});
  CHECK(r.exit_code == 0);
  CHECK(r.err == "");
  INFO(r.out);
  const auto shown = [&](const std::string& text) { return r.out.find(text) != std::string::npos; };
  CHECK(shown("Keeps the node sessions."));
  CHECK(shown("Usage: genai-broker"));
  CHECK(
      shown("  --lost-ms N                 Silence until lost\n"
            "                              [default 5000; 100 to 600000; env "
            "GENAI_BROKER_LOST_MS]\n"));
  CHECK(shown("  --broker TEXT (repeatable)"));
  CHECK(shown("[default tcp://127.0.0.1:7701; env GENAI_BROKER_BROKER]"));
  CHECK(shown("  --echo                      Answer with the payload\n"));
  CHECK(shown("[default none; env GENAI_BROKER_NODE_ID]"));
  CHECK(shown("[default fast; one of fast, safe; env GENAI_BROKER_MODE]"));
  CHECK(shown("[default 0.25; 0 to 1; env GENAI_BROKER_RATIO]"));
  for (const char* common : {"--help", "--version", "--config TEXT", "--check-config",
                             "--log-level TEXT", "--log-format TEXT"}) {
    CHECK(shown(common));
  }
  CHECK_FALSE(shown("markdown"));
}

TEST_CASE("--check-config says ok only when all is") {
  const ConfigFile good("suspect_ms = 100\n");
  const ConfigFile bad("suspect_ms = 9000\n");
  Program p, q;
  const Outcome ok = p.run({"--check-config", "--config", good.path()});
  CHECK(ok.exit_code == 0);
  CHECK(ok.out == "configuration ok\n");
  CHECK(ok.err == "");
  const Outcome failed = q.run({"--check-config", "--config", bad.path()});
  CHECK(failed.exit_code == 78);
  CHECK(failed.out == "");
}

TEST_CASE("the Markdown table holds every option, with its cells kept apart") {
  Program p;
  const Outcome r = p.run({"--print-options-markdown"});
  CHECK(r.exit_code == 0);
  CHECK(r.out == p.options.markdown_table());
  const auto shown = [&](const std::string& line) {
    return r.out.find("\n" + line + "\n") != std::string::npos;
  };
  INFO(r.out);
  CHECK(r.out.starts_with("| Option | Key in the file | Environment variable |"));
  CHECK(
      shown("| `--lost-ms` | `lost_ms` | `GENAI_BROKER_LOST_MS` | `5000` | 100 to 600000 | "
            "Silence until lost |"));
  CHECK(
      shown("| `--mode` | `mode` | `GENAI_BROKER_MODE` | `fast` | one of fast, safe | A\\|B "
            "choice |"));
  CHECK(
      shown("| `--config` | - | `GENAI_BROKER_CONFIG` | `none` | - | Read options from this TOML "
            "file |"));
  CHECK(
      shown("| `--log-level` | `log_level` | `GENAI_BROKER_LOG_LEVEL` | `info` | one of trace, "
            "debug, info, warn, error | Write log lines of this level and above |"));
}

TEST_CASE("subcommands and positional arguments on the command line beneath") {
  Program p;
  std::vector<std::string> prompts;
  const Command program = p.options.command_line().program();
  const Command submit = program.subcommand("submit", "Submit tasks");
  submit.argument("prompts", prompts, "Prompts");
  program.require_subcommand();

  SECTION("common options may follow the subcommand") {
    const Outcome r = p.run({"--slots", "2", "submit", "a cat", "a dog", "--mode", "safe"});
    CHECK(r.err == "");
    CHECK_FALSE(r.exit_code);
    CHECK(submit.is_given());
    CHECK(prompts == Texts{"a cat", "a dog"});
    CHECK(p.settings.slots == 2);
    CHECK(p.settings.mode == "safe");
  }
  SECTION("a list takes one argument at a time") {
    const Outcome r = p.run({"submit", "--broker", "x", "a cat"});
    CHECK(r.err == "");
    CHECK(p.settings.broker == Texts{"x"});
    CHECK(prompts == Texts{"a cat"});
  }
  SECTION("missing") {
    const Outcome r = p.run({});
    CHECK(r.exit_code == 2);
    CHECK(r.err == "genai-broker: a subcommand is required (see genai-broker --help)\n");
  }
  SECTION("what is wrong behind it refers to its own help") {
    CHECK(p.run({"submit", "--sloots", "2"}).err ==
          "genai-broker: unknown option '--sloots' (see genai-broker submit --help)\n");
  }
  SECTION("what is wrong with a common option refers to the program's help") {
    CHECK(p.run({"submit", "--slots"}).err ==
          "genai-broker: --slots: needs a value (see genai-broker --help)\n");
    CHECK(p.run({"submit", "--slots", "x"}).err.ends_with(" (see genai-broker --help)\n"));
  }
  SECTION("the check of the configuration needs none") {
    CHECK(p.run({"--check-config"}).out == "configuration ok\n");
  }
  SECTION("its own help") {
    const Outcome r = p.run({"submit", "--help"});
    CHECK(r.exit_code == 0);
    CHECK(r.out.find("Submit tasks") != std::string::npos);
  }
}

TEST_CASE("a name without its unit is a wrong declaration") {
  Options options("genai-x", "X.");
  milliseconds ms{1};
  seconds s{1};
  std::string text;
  CHECK_THROWS_AS(options.add("wait", ms, "Wait"), std::logic_error);
  CHECK_THROWS_AS(options.add("wait-ms", s, "Wait"), std::logic_error);
  CHECK_NOTHROW(options.add("wait-ms", ms, "Wait"));
  std::chrono::microseconds us{1};
  std::uint64_t bytes = 0;
  CHECK_THROWS_AS(options.add("hold", us, "Hold"), std::logic_error);
  CHECK_THROWS_AS(options.add("room", Mebibytes{bytes}, "Room"), std::logic_error);
  CHECK_THROWS(options.add("config", text, "Taken"));
}

TEST_CASE("a variable that counts in microseconds or bytes has an option in ms, s or MiB") {
  std::chrono::microseconds resend = milliseconds(1500), keep = seconds(60);
  std::uint64_t room = 64u << 20;
  const auto parsed = [&](std::vector<const char*> arguments) {
    Options options("genai-x", "X.");
    options.add("resend-ms", resend, "Resend", Range{11, 3'600'000});
    options.add("keep-s", keep, "Keep");
    options.add("room-mib", Mebibytes{room}, "Room", Range{1, 1 << 20});
    arguments.insert(arguments.begin(), "genai-x");
    const std::string table = options.markdown_table();
    CHECK_FALSE(options.parse(static_cast<int>(arguments.size()), arguments.data()));
    return table;
  };
  const std::string table = parsed({});
  INFO(table);
  CHECK(table.find("| `1500` | 11 to 3600000 | Resend |") != std::string::npos);
  CHECK(table.find("| `60` | - | Keep |") != std::string::npos);
  CHECK(table.find("| `64` | 1 to 1048576 | Room |") != std::string::npos);
  CHECK(resend == milliseconds(1500));
  parsed({"--resend-ms", "20", "--keep-s", "315360000", "--room-mib", "3"});
  CHECK(resend == milliseconds(20));
  CHECK(keep == seconds(315'360'000));
  CHECK(room == 3u << 20);
}
