// The desk alone: who waits for which task, and what it is told.
#include "tests/unit/dispatcher/desk/office.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Office;
using genai::dispatcher::test::Wishes;

namespace {

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("desk: a result is sent to each that watches, and its data goes when all have it") {
  Office office;
  office.submit("a", {}, msg::WatchLevel::kResult, "one");
  office.submit("a", {}, msg::WatchLevel::kResult, "two");
  CHECK(office.desk.is_idle());  // nothing is on its way
  office.finish("a");
  CHECK(!office.desk.is_idle());
  CHECK(office.results_to("one") == Ids{"a"});
  CHECK(office.results_to("two") == Ids{"a"});
  CHECK(office.all<desk_event::SendResult>()[0]->entry.data.view() == "picture");
  office.ask(msg::DeliverAck{{Office::id("a")}}, "one");
  CHECK(office.wishes.empty());
  office.ask(msg::DeliverAck{{Office::id("a")}}, "two");
  CHECK(office.wishes == Wishes{"fetched a"});
  CHECK(office.desk.is_idle());
}

TEST_CASE("desk: a result that nobody acknowledges is due again") {
  Office office;
  office.submit("a");
  office.finish("a");
  const Duration due = office.desk.next_deadline();
  CHECK(due == office.now.mono + office.limits.resend);
  office.now.mono = due - from_ms(1);
  office.expire();
  CHECK(office.results_to("client").empty());
  office.now.mono = due;
  office.expire();
  CHECK(office.results_to("client") == Ids{"a"});
  CHECK(office.desk.next_deadline() > due);
}

TEST_CASE("desk: a client that is gone is sent nothing, and nobody waits for it") {
  Office office;
  office.submit("a", {}, msg::WatchLevel::kProgress, "gone");
  SECTION("before the end of its task") {
    office.leave("gone");
    CHECK(office.desk.is_idle());
    office.finish("a");
    CHECK(office.results_to("gone").empty());
    CHECK(office.updates_to("gone").empty());
    CHECK(office.desk.next_deadline() == kNever);
    // Its result waits for whoever asks.
    office.ask(msg::Watch{1, msg::WatchLevel::kResult, {Office::id("a")}}, "back");
    office.expire();
    CHECK(office.results_to("back") == Ids{"a"});
  }
  SECTION("while its result is on the way") {
    office.finish("a");
    REQUIRE(office.results_to("gone") == Ids{"a"});
    office.leave("gone");
    CHECK(office.wishes.empty());  // it may not have it
    office.pass(60'000);
    office.expire();
    CHECK(office.results_to("gone").empty());
  }
  SECTION("when another one has the result already") {
    office.submit("a", {}, msg::WatchLevel::kResult, "other");
    office.finish("a");
    office.ask(msg::DeliverAck{{Office::id("a")}}, "other");
    CHECK(office.wishes.empty());
    office.leave("gone");
    CHECK(office.wishes == Wishes{"fetched a"});
  }
}

TEST_CASE("desk: clients of keys that are revoked are told so and forgotten") {
  Office office;
  office.who = Office::key("k1");
  office.submit("a", {}, msg::WatchLevel::kResult, "one");
  office.who = Office::key("k2");
  office.submit("b", {}, msg::WatchLevel::kResult, "two");
  office.revoke({"k1"});
  CHECK(office.error("one") == ErrorCode::kNotAllowed);
  CHECK(office.replies_to<msg::ErrorReply>("two").empty());
  office.finish("a");
  CHECK(office.results_to("one").empty());
  office.finish("b");
  CHECK(office.results_to("two") == Ids{"b"});
}

TEST_CASE("desk: who follows a task hears of its progress once for each tick, and never after") {
  Office office;
  office.submit("a", {}, msg::WatchLevel::kProgress, "follows");
  office.submit("a", {}, msg::WatchLevel::kResult, "waits");
  office.send(office.task("a"));
  for (int i = 1; i <= 5; ++i) office.progress("a", i / 10.0, "step " + std::to_string(i));
  office.expire();
  const auto updates = office.updates_to("follows");
  REQUIRE(updates.size() == 1);
  CHECK(updates[0].fraction == 0.5);
  CHECK(updates[0].text == "step 5");
  CHECK(updates[0].status == TaskStatus::kSent);
  CHECK(updates[0].node_id == "node");
  CHECK(office.updates_to("waits").empty());
  office.expire();
  CHECK(office.updates_to("follows").empty());
  office.progress("a", 0.9);
  office.finish("a");  // before the tick
  REQUIRE(office.updates_to("follows").size() == 1);
  CHECK(office.updates_to("follows")[0].status == TaskStatus::kCompleted);
  office.expire();
  CHECK(office.updates_to("follows").empty());
}

TEST_CASE("desk: PING says how many tasks the connection watches") {
  Office office;
  const auto watched = [&](const std::string& peer) {
    office.ask(msg::Ping{4}, peer);
    const auto pong = office.only_reply<msg::Pong>(peer);
    CHECK(pong.request == 4);
    CHECK(pong.epoch == Office::kEpoch);
    return pong.watched;
  };
  CHECK(watched("client") == 0);
  office.submit("a");
  office.submit("b");
  office.submit("c", {}, msg::WatchLevel::kNone);
  CHECK(watched("client") == 2);
  CHECK(watched("other") == 0);
  office.leave("client");
  CHECK(watched("client") == 0);
}

TEST_CASE("desk: whoever comes under the name of a connection with another key is somebody else") {
  Office office;
  office.who = Office::key("k1");
  office.submit("a");
  office.who = Office::key("k2");
  office.ask(msg::Ping{1});
  CHECK(office.only_reply<msg::Pong>().watched == 0);
  office.finish("a");
  CHECK(office.results_to("client").empty());
}
