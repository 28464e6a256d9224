#include "dispatcher/store/sqlite/text.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::store;

TEST_CASE("a log is JSON whatever stands in it, and comes back") {
  std::string controls;
  for (char c = 1; c < 0x20; ++c) controls += c;
  for (const std::string& reason : {std::string(), std::string("plain"), std::string("\"\\/"),
                                    controls, std::string("\x7f Ü 世")}) {
    const TaskLog log{
        {1'763'900'000'000, TaskStatus::kUnscheduled, reason, {}, 0},
        {UINT64_MAX / 2, TaskStatus::kFailed, reason, *NodeId::parse("node-1"), 4'000'000'000}};
    const std::string text = log_text(log);
    CHECK(nlohmann::json::parse(text)[1][2] == reason);
    const auto back = parse_log(text);
    REQUIRE(back);
    REQUIRE(back->size() == 2);
    CHECK(back->at(0).reason == reason);
    CHECK(back->at(0).node_id.empty());
    CHECK(back->at(1).at_ms == UINT64_MAX / 2);
    CHECK(back->at(1).attempt == 4'000'000'000);
    CHECK(back->at(1).status == TaskStatus::kFailed);
  }
  CHECK(log_text({}) == "[]");
}

TEST_CASE("attempts come back") {
  SessionId::Bytes bytes{};
  bytes[0] = 0xab;
  bytes[15] = 0x01;
  const auto back = parse_attempts(attempts_text(
      {{1, 7, SessionId(bytes), *NodeId::parse("n"), true, false, true}, {2, 8, {}, {}}}));
  REQUIRE(back);
  REQUIRE(back->size() == 2);
  CHECK((*back)[0].session == SessionId(bytes));
  CHECK((*back)[0].failed);
  CHECK(!(*back)[0].open);
  CHECK((*back)[1].epoch == 8);
  CHECK((*back)[0].drained);
  CHECK((*back)[1].open);
  CHECK(!(*back)[1].drained);
}

TEST_CASE("attempts of before version 4 say nothing of drains") {
  const auto back = parse_attempts("[[1,7,\"00112233445566778899aabbccddeeff\",\"n\",1,0]]");
  REQUIRE(back);
  CHECK((*back)[0].failed);
  CHECK(!(*back)[0].open);
  CHECK(!(*back)[0].drained);
}

TEST_CASE("what is no list of rows is refused") {
  for (const char* text :
       {"", "{", "[1]", "[[]]", "[[1,2,3,4]]", "[[1,9,\"x\",\"\",0]]", "[[1,0,2,\"\",0]]",
        "[[1,0,\"x\",\"not an id\",0]]", "[[1,0,\"x\",\"\",-1.5,1]]"}) {
    CAPTURE(text);
    CHECK(!parse_log(text));
    CHECK(!parse_attempts(text));
  }
}

TEST_CASE("a number that does not fit is refused, not bent") {
  for (const char* number : {"-1", "1.5", "1e3", "170070955161509551615", "4294967296", "true"}) {
    CAPTURE(number);
    const std::string text(number);
    CHECK(!parse_log("[[1,0,\"x\",\"\"," + text + "]]"));
    CHECK(!parse_attempts("[[" + text + ",1,\"00112233445566778899aabbccddeeff\",\"\",0,1]]"));
  }
  CHECK(parse_attempts("[[4294967295,1,\"00112233445566778899aabbccddeeff\",\"\",0,1]]"));
}
