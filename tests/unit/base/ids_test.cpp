#include "protocol/base/ids.h"

#include <catch2/catch.hpp>
#include <set>

#include "protocol/transport/system.h"

using namespace genai;

TEST_CASE("ids keep to their alphabet and length") {
  for (const char* good : {"a", "A-z_0.9:x", "0192f0c1-7b7e-7c3a-9a0b-0123456789ab"})
    CHECK(TaskId::parse(good));
  CHECK(TaskId::parse(std::string(64, 'x')));
  CHECK(!TaskId::parse(std::string(65, 'x')));
  for (const char* bad : {"", "a b", "a/b", "ä", "a\n", "a\"b", "$x", "a\x7f"})
    CHECK(!TaskId::parse(bad));
  CHECK(!TaskId::parse(std::string("a\0b", 3)));
}

TEST_CASE("ids compare and hash as their texts") {
  const std::string longest(64, 'x');
  for (const std::string& a : {std::string("a"), std::string("ab"), std::string("b"), longest})
    for (const std::string& b : {std::string("a"), std::string("ab"), std::string("b"), longest}) {
      CHECK((*TaskId::parse(a) <=> *TaskId::parse(b)) == (a <=> b));
      CHECK((*TaskId::parse(a) == *TaskId::parse(b)) == (a == b));
    }
  TaskId id = *TaskId::parse(longest);
  CHECK(id.str() == longest);
  id = *TaskId::parse("ab");
  CHECK(id.view() == "ab");
  CHECK(std::hash<TaskId>{}(id) == std::hash<TaskId>{}(*TaskId::parse("ab")));
  CHECK(TaskId() < id);
}

TEST_CASE("uuid7 agrees with RFC 9562, appendix A.6") {
  // 017F22E2-79B0-7CC3-98C4-DC0C0C07398F: rand_a CC3, rand_b 18C4DC0C0C07398F.
  const TaskId id =
      uuid7(0x017F22E279B0, {0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F});
  CHECK(id.str() == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

TEST_CASE("uuid7 sets version and variant whatever the random bits are") {
  for (const int fill : {0x00, 0xff, 0x5a}) {
    std::array<std::uint8_t, 10> random;
    random.fill(static_cast<std::uint8_t>(fill));
    const std::string text = uuid7(1, random).str();
    REQUIRE(text.size() == 36);
    CHECK(text[14] == '7');
    CHECK(std::string("89ab").find(text[19]) != std::string::npos);
  }
}

TEST_CASE("later task ids sort after earlier ones of another millisecond") {
  CHECK(uuid7(1'000, {}) < uuid7(1'001, {}));
  std::set<TaskId> seen;
  for (int i = 0; i < 1'000; ++i) CHECK(seen.insert(transport::new_task_id()).second);
}

TEST_CASE("binary ids are 16 bytes and show only four of them") {
  CHECK(!SessionId::parse("short"));
  const auto id = SessionId::parse("\x01\x02\x03\xffsecretsecret");
  REQUIRE(id);
  CHECK(id->short_hex() == "010203ff");
  CHECK(transport::random_id<SessionId>() != transport::random_id<SessionId>());
}
