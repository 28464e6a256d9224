// The desk alone: a LIST that is answered in several turns.
#include "tests/unit/dispatcher/desk/office.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Office;

TEST_CASE(
    "desk: a LIST that looks at many tasks is answered in turns, which the loop is woken for") {
  Office office;
  const std::size_t count = 2 * Listings::kTurn + 10;
  for (std::size_t i = 0; i < count; ++i)
    office.submit("t-" + std::to_string(10'000 + i), {}, msg::WatchLevel::kNone);
  const std::string last = "t-" + std::to_string(10'000 + count - 1);
  office.ask(msg::Cancel{1, {Office::id(last)}});
  CHECK(office.desk.next_deadline() == kNever);
  const msg::List aborted{7, {{"status", "Aborted"}}};
  office.ask(aborted, "slow");
  CHECK(office.replies_to<msg::Tasks>("slow").empty());
  CHECK(office.desk.next_deadline() <= office.now.mono);
  SECTION("the answer comes, and once") {
    office.ask(aborted, "slow");  // it repeats itself while it waits
    CHECK(office.told.empty());
    std::size_t turns = 0;
    while (office.replies_to<msg::Tasks>("slow").empty()) {
      REQUIRE(++turns < 10);
      office.expire();
    }
    CHECK(turns > 1);
    const auto page = office.only_reply<msg::Tasks>("slow");
    CHECK(page.request == 7);
    CHECK(!page.more);
    REQUIRE(page.tasks.size() == 1);
    CHECK(get_string(page.tasks[0], "task_id") == last);
    CHECK(office.desk.next_deadline() == kNever);
  }
  SECTION("a second LIST of the same connection has to wait") {
    office.ask(msg::List{8, {}}, "slow");
    CHECK(office.error("slow") == ErrorCode::kSlowDown);
  }
  SECTION("a short one of another connection does not wait for it") {
    office.ask(msg::List{8, {{"limit", 5u}}}, "quick");
    const auto page = office.only_reply<msg::Tasks>("quick");
    CHECK(page.tasks.size() == 5);
    CHECK(page.more);
  }
  SECTION("two long ones both come to their end") {
    office.ask(msg::List{8, {{"status", "Aborted"}}}, "other");
    std::size_t answers = 0;
    for (int i = 0; i < 10; ++i) {
      office.expire();
      answers += office.replies_to<msg::Tasks>("slow").size();
      answers += office.replies_to<msg::Tasks>("other").size();
    }
    CHECK(answers == 2);
  }
  SECTION("whoever comes under the name of the connection with another key does not get it") {
    office.who = Office::key("k1");
    office.ask(aborted, "keyed");
    office.who = Office::key("k2");
    office.ask(msg::Ping{1}, "keyed");
    for (int i = 0; i < 10; ++i) {
      office.expire();
      CHECK(office.replies_to<msg::Tasks>("keyed").empty());
    }
  }
  SECTION("for a client that is gone nobody goes on looking") {
    office.leave("slow");
    CHECK(office.desk.next_deadline() == kNever);
    office.ask(msg::List{8, {{"limit", 5u}}}, "slow");  // it is back
    CHECK(office.only_reply<msg::Tasks>("slow").request == 8);
  }
  SECTION("a key that is revoked gets no answer") {
    office.who = Office::key("k1");
    office.ask(aborted, "keyed");
    office.revoke({"k1"});
    for (int i = 0; i < 10; ++i) {
      office.expire();
      CHECK(office.replies_to<msg::Tasks>("keyed").empty());
    }
  }
}
