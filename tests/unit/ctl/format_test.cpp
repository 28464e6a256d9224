// Text for people, and that nothing a peer wrote reaches a terminal as it is.
#include "tools/ctl/format.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tools/ctl/json.h"

using namespace genai;
using namespace genai::ctl;

TEST_CASE("table columns are aligned, also when a cell is wide or not ASCII") {
  const auto lines = table_lines({{"TASK", "LABEL", "X"}, {"t-1", "城市", "1"}, {"t", "é", "22"}});
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "TASK  LABEL  X");
  CHECK(lines[1] == "t-1   城市   1");
  CHECK(lines[2] == "t     é      22");
  CHECK(table_lines({{"A", "B"}, {"größe", "x"}, {"abc", "yy"}}) ==
        std::vector<std::string>{"A      B", "größe  x", "abc    yy"});
}

TEST_CASE("rows may be shorter than the head") {
  CHECK(table_lines({{"A", "B"}, {"1"}}).at(1) == "1");
  CHECK(table_lines({}).empty());
}

TEST_CASE("width counts what a terminal shows") {
  CHECK(columns("abc") == 3);
  CHECK(columns("城市") == 4);
  CHECK(columns("e\u0301") == 1);  // a combining accent
  CHECK(columns("") == 0);
}

TEST_CASE("a cell is cut to its width and never in the middle of a character") {
  CHECK(cell("lighthouse", 10) == "lighthouse");
  CHECK(cell("lighthouses", 10) == "lighthous…");
  CHECK(cell("ääääää", 3) == "ää…");
  CHECK(cell("城市城市", 5) == "城市…");
  CHECK(cell("城市城市", 6) == "城市…");
  CHECK(columns(cell("城市城市", 6)) <= 6);
  CHECK(cell("abc", 0).empty());
}

TEST_CASE("control characters of a peer are shown, not obeyed") {
  CHECK(cell("\033[2Jgone", 80) == "\\u001b[2Jgone");
  CHECK(cell("a\nb\rc", 80) == "a\\nb\\rc");
  CHECK(cell("\xc2\x9b"
             "31m",
             80) == "\\u009b31m");  // CSI as one character
  CHECK(cell("\xff\xfe", 80) == "\uFFFD\uFFFD");
  CHECK(cell("\u202Etxt.exe", 80) == "\\u202etxt.exe");
  const std::string shown = cell("\033[2J\x07\nfake line\xff", 200);
  for (const char c : shown) CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  CHECK(shown.find("fake line") != std::string::npos);
}

TEST_CASE("clip leaves a safe text as it is") {
  CHECK(clip("a\\b", 80) == "a\\b");
  CHECK(clip("abcdef", 4) == "abc…");
}

TEST_CASE("bars are as long as asked for, whatever the fraction") {
  CHECK(bar(0, 4) == "----");
  CHECK(bar(0.5, 4) == "##--");
  CHECK(bar(1, 4) == "####");
  CHECK(bar(7, 4) == "####");
  CHECK(bar(-1, 4) == "----");
  CHECK(bar(std::nan(""), 4) == "----");
  CHECK(bar(std::numeric_limits<double>::infinity(), 4) == "####");
}

TEST_CASE("durations in the unit that matters") {
  CHECK(duration_text(0) == "0 ms");
  CHECK(duration_text(350) == "350 ms");
  CHECK(duration_text(999) == "999 ms");
  CHECK(duration_text(12'345) == "12.3 s");
  CHECK(duration_text(245'000) == "4 m 05 s");
  CHECK(duration_text(11'220'000) == "3 h 07 m");
  CHECK(duration_text(187'200'000) == "2 d 04 h");
}

TEST_CASE("times of logs are ISO 8601 in UTC") {
  CHECK(iso_time(0) == "1970-01-01T00:00:00.000Z");
  CHECK(iso_time(1'700'000'000'042) == "2023-11-14T22:13:20.042Z");
  CHECK(iso_time(1'763'920'800'123) == "2025-11-23T18:00:00.123Z");
}

TEST_CASE("the JSON of a result has the keys that scripts rely on") {
  client::TaskResult result;
  result.id = "t-1";
  result.status = client::Status::kCompleted;
  result.code = client::Errc::kOk;
  result.node_id = "node-2";
  result.attempts = 2;
  result.queued_ms = 1;
  result.run_ms = 2;
  result.total_ms = 3;
  CHECK(
      to_json(result).dump() ==
      R"({"task_id":"t-1","status":"Completed","code":"ok","error":"","node_id":"node-2",)"
      R"("node":"node-2","attempts":2,"queued_ms":1,"run_ms":2,"total_ms":3,"files":[{"bytes":0}]})");
}

TEST_CASE("the JSON of a result, a task and a verdict says what a person is warned of") {
  client::TaskResult result;
  result.result_gone = true;
  CHECK(to_json(result)["result_gone"] == true);
  client::TaskInfo task;
  task.status = client::Status::kCompleted;
  task.result = "dropped";
  CHECK(to_json(task)["result"] == "dropped");
  client::Verdict verdict{"t", client::Errc::kOk, "late: expected in 30 m", 0, {}};
  CHECK(to_json(verdict)["late"] == true);
  verdict.detail = "1 provider is busy";
  CHECK(!to_json(verdict).contains("late"));
}

TEST_CASE("the JSON of a waiting task says why, of an ended one how") {
  client::TaskInfo task;
  task.id = "t";
  task.waiting = "1 provider is busy";
  task.attempt = 2;
  task.candidates.push_back({"n", "is busy", 4, 3, 2, 1, 0});
  CHECK(to_json(task)["waiting"] == "1 provider is busy");
  for (const char* key : {"attempt", "attempts"}) CHECK(to_json(task)[key] == 2);
  for (const char* key : {"state", "obstacle"})
    CHECK(to_json(task)["candidates"][0][key] == "is busy");
  CHECK(!to_json(task).contains("code"));
  task.status = client::Status::kFailed;
  task.waiting.clear();
  task.code = "time_limit";
  task.log.push_back({0, "Failed", "too slow", "n", 2});
  const Json json = to_json(task);
  CHECK(json["code"] == "time_limit");
  CHECK(json["log"][0]["attempt"] == 2);
  CHECK(json["log"][0]["ts"] == "1970-01-01T00:00:00.000Z");
}
