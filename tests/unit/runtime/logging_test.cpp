#include "protocol/runtime/logging.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

#include "tests/unit/runtime/capture.h"

using namespace genai::runtime;

namespace {

// One line as written, without its end.
std::string line_of(LogFormat format, LogLevel level, std::string_view message, Fields fields) {
  const StderrCapture capture;
  init_logging("genai-broker", LogLevel::kTrace, format);
  log(level, message, fields);
  std::string line = capture.text();
  REQUIRE(line.ends_with('\n'));
  line.pop_back();
  REQUIRE(line.find('\n') == std::string::npos);
  return line;
}

// A text line after its time.
std::string text_of(LogLevel level, std::string_view message, Fields fields = {}) {
  const std::string line = line_of(LogFormat::kText, level, message, fields);
  static const std::regex time(R"(^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z )");
  REQUIRE(std::regex_search(line, time));
  return std::regex_replace(line, time, "");
}

nlohmann::json json_of(LogLevel level, std::string_view message, Fields fields = {}) {
  return nlohmann::json::parse(line_of(LogFormat::kJson, level, message, fields));
}

}  // namespace

TEST_CASE("a text line") {
  const std::string id = "a";
  CHECK(text_of(LogLevel::kInfo, "node joined", {{"node", id}, {"slots", 2}}) ==
        "info  genai-broker: node joined node=a slots=2");
  CHECK(text_of(LogLevel::kTrace, "m") == "trace genai-broker: m");
  CHECK(text_of(LogLevel::kDebug, "m") == "debug genai-broker: m");
  CHECK(text_of(LogLevel::kWarn, "m") == "warn  genai-broker: m");
  CHECK(text_of(LogLevel::kError, "m") == "error genai-broker: m");
}

TEST_CASE("text fields of every kind; what is not one word is quoted") {
  CHECK(text_of(LogLevel::kInfo, "m",
                {{"i", -1},
                 {"u", std::numeric_limits<std::uint64_t>::max()},
                 {"d", 0.5},
                 {"yes", true},
                 {"word", "tcp://127.0.0.1:7700"},
                 {"words", "two words"},
                 {"quote", "a\"b"},
                 {"pair", "x=y"},
                 {"empty", ""}}) ==
        "info  genai-broker: m i=-1 u=18446744073709551615 d=0.5 yes=true "
        "word=tcp://127.0.0.1:7700 words=\"two words\" quote=\"a\\\"b\" pair=\"x=y\" empty=\"\"");
}

TEST_CASE("a JSON line") {
  const std::string line =
      line_of(LogFormat::kJson, LogLevel::kInfo, "node joined", {{"node", "a"}, {"slots", 2}});
  static const std::regex whole(
      R"re(\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info",)re"
      R"re("program":"genai-broker","msg":"node joined","node":"a","slots":2\})re");
  INFO(line);
  CHECK(std::regex_match(line, whole));
  CHECK(json_of(LogLevel::kWarn, "m")["level"] == "warn");
}

TEST_CASE("JSON fields keep their kinds") {
  const nlohmann::json line = json_of(LogLevel::kError, "m",
                                      {{"i", std::numeric_limits<std::int64_t>::min()},
                                       {"u", std::numeric_limits<std::uint64_t>::max()},
                                       {"d", 0.1},
                                       {"no", false},
                                       {"nan", std::numeric_limits<double>::quiet_NaN()}});
  CHECK(line["i"] == std::numeric_limits<std::int64_t>::min());
  CHECK(line["u"] == std::numeric_limits<std::uint64_t>::max());
  CHECK(line["d"] == 0.1);
  CHECK(line["no"] == false);
  CHECK(line["nan"] == "nan");
}

TEST_CASE("hostile messages and fields stay inside their line and their string") {
  const std::string evil = "x\n{\"level\":\"error\"}\x1b[31m\xFF %v %d {} \"";
  const nlohmann::json json = json_of(LogLevel::kInfo, evil, {{"node", evil}});
  const std::string shown = "x\n{\"level\":\"error\"}\x1b[31m\xEF\xBF\xBD %v %d {} \"";
  CHECK(json["msg"] == shown);
  CHECK(json["node"] == shown);
  CHECK(json["level"] == "info");
  CHECK(text_of(LogLevel::kInfo, evil, {{"node", "a\nb"}}) ==
        "info  genai-broker: x\\n{\"level\":\"error\"}\\u001b[31m\xEF\xBF\xBD %v %d {} \" "
        "node=\"a\\nb\"");
}

TEST_CASE("a field cannot replace the line's own members") {
  const nlohmann::json json =
      json_of(LogLevel::kInfo, "m", {{"msg", "other"}, {"level", "fatal"}, {"ts", 1}});
  CHECK(json["msg"] == "m");
  CHECK(json["msg_"] == "other");
  CHECK(json["level"] == "info");
  CHECK(json["level_"] == "fatal");
  CHECK(json["ts_"] == 1);
}

TEST_CASE("levels below the threshold write nothing") {
  const StderrCapture capture;
  init_logging("p", LogLevel::kWarn, LogFormat::kText);
  log_trace("no");
  log_debug("no");
  log_info("no");
  CHECK(capture.text().empty());
  CHECK_FALSE(log_enabled(LogLevel::kInfo));
  CHECK(log_enabled(LogLevel::kWarn));
  log_warn("first");
  log_error("second");
  CHECK(capture.text().find("p: first\n") != std::string::npos);
  CHECK(capture.text().find("p: second\n") != std::string::npos);
}

TEST_CASE("the automatic format is JSON into a file and text on a terminal") {
  SECTION("file") {
    const std::string line = line_of(LogFormat::kAuto, LogLevel::kInfo, "m", {});
    CHECK(nlohmann::json::accept(line));
  }
  SECTION("terminal") {
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    REQUIRE(terminal >= 0);
    REQUIRE(grantpt(terminal) == 0);
    REQUIRE(unlockpt(terminal) == 0);
    const int side = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    REQUIRE(side >= 0);
    {
      const StderrCapture capture(side);
      init_logging("genai-broker", LogLevel::kInfo, LogFormat::kAuto);
      log_info("m", {{"k", "v"}});
    }
    std::string line;  // the terminal may hand it over in pieces
    char c = 0;
    while (!line.ends_with('\n') && read(terminal, &c, 1) == 1) line += c;
    CHECK(line.find("genai-broker: m k=v") != std::string::npos);
    CHECK(line.find('{') == std::string::npos);
    close(side);
    close(terminal);
  }
}
