// What becomes of results between the dispatcher and the caller.
#include "tests/unit/client/talk.h"

using namespace genai;
using namespace genai::client;

TEST_CASE("an acknowledged result that comes again is acknowledged again and handed on once") {
  Talk t;
  t.submit_accepted("a");
  t.receive(Talk::delivery("a"));
  CHECK(t.told.results.size() == 1);
  t.acknowledge({"a"});
  t.receive(Talk::delivery("a"));
  CHECK(t.told.results.empty());
  CHECK(t.take<msg::DeliverAck>().size() == 2);
  CHECK(t.take<msg::Watch>().empty());
}

TEST_CASE("a result that comes again while the caller has it is not repeated, and not dropped") {
  Talk t;
  t.submit_accepted("a");
  t.receive(Talk::delivery("a"));
  for (int i = 0; i < 2; ++i) {
    t.receive(Talk::delivery("a"));
    CHECK(t.told.results.empty());
    CHECK(t.take<msg::DeliverAck>().empty());
    const auto watches = t.take<msg::Watch>();
    REQUIRE(watches.size() == 1);
    CHECK(watches[0].level == msg::WatchLevel::kNone);
    CHECK(watches[0].ids == std::vector{id("a")});
  }
  t.acknowledge({"a"});
  CHECK(t.take<msg::DeliverAck>().at(0).ids == std::vector{id("a")});
}

TEST_CASE("results are acknowledged in groups, and only those that were handed on") {
  Talk t;
  std::vector<std::string> names;
  for (int i = 0; i < 5000; ++i) {
    names.push_back("t" + std::to_string(i));
    t.add(names.back());
  }
  t.turn();
  for (const std::string& name : names)
    if (name != "t17") t.receive(Talk::delivery(name));
  t.acknowledge(names);
  const auto acks = t.take<msg::DeliverAck>();
  REQUIRE(acks.size() == 2);
  CHECK(acks[0].ids.size() == limits::kMaxBatchEntries);
  CHECK(acks[0].ids.size() + acks[1].ids.size() == 4999);
  for (const auto& ack : acks) CHECK(std::ranges::count(ack.ids, id("t17")) == 0);
  t.acknowledge(names);
  CHECK(t.take<msg::DeliverAck>().empty());
}

TEST_CASE("results that are set aside make room and are acknowledged later") {
  Talk t;
  for (const char* name : {"a", "b", "c"}) t.submit_accepted(name);
  t.receive(Talk::delivery("a"));
  t.receive(Talk::delivery("b"));
  t.core.handle(SessionCore::SetAside{}, t.now);
  t.turn();
  auto watches = t.take<msg::Watch>();
  REQUIRE(watches.size() == 1);
  CHECK(watches[0].level == msg::WatchLevel::kNone);
  CHECK(watches[0].ids.size() == 2);
  t.core.handle(SessionCore::SetAside{}, t.now);
  t.turn();
  CHECK(t.take<msg::Watch>().empty());  // once each
  CHECK(t.take<msg::DeliverAck>().empty());
  t.acknowledge({"a", "b"});
  CHECK(t.take<msg::DeliverAck>().at(0).ids.size() == 2);
  CHECK(t.core.is_open(id("c")));
}

TEST_CASE("a result that is left is not acknowledged") {
  Talk t;
  t.submit_accepted("a");
  t.receive(Talk::delivery("a"));
  t.core.handle(SessionCore::Leave{{id("a"), id("nobody")}}, t.now);
  t.turn();
  for (int i = 0; i < 2; ++i) {
    const auto watches = t.take<msg::Watch>();
    REQUIRE(watches.size() == 1);
    CHECK(watches[0].level == msg::WatchLevel::kNone);
    CHECK(watches[0].ids == std::vector{id("a")});
    t.acknowledge({"a"});
    t.receive(Talk::delivery("a"));  // the end of the watch was lost on the way
    CHECK(t.told.results.empty());
  }
  CHECK(t.take<msg::DeliverAck>().empty());
}

TEST_CASE("a result that was left and is watched again is handed on and acknowledged") {
  Talk t;
  t.submit_accepted("a");
  t.receive(Talk::delivery("a"));
  t.core.handle(SessionCore::Leave{{id("a")}}, t.now);
  t.watch("a");
  t.receive(Talk::delivery("a"));
  CHECK(t.told.results.size() == 1);
  t.acknowledge({"a"});
  CHECK(t.take<msg::DeliverAck>().at(0).ids == std::vector{id("a")});
}

TEST_CASE("a result without its ACCEPTED counts as accepted") {
  Talk t;
  t.submit("a");
  t.receive(Talk::delivery("a"));
  CHECK(t.told.verdicts.size() == 1);
  CHECK(t.told.results.size() == 1);
}

TEST_CASE("an onlooker ends its watch instead of acknowledging") {
  Talk t(false);
  t.watch("a");
  t.receive(Talk::delivery("a"));
  CHECK(t.told.results.size() == 1);
  CHECK(t.take<msg::DeliverAck>().empty());
  auto watches = t.take<msg::Watch>();
  REQUIRE(watches.size() == 1);
  CHECK(watches[0].level == msg::WatchLevel::kNone);
  CHECK(watches[0].ids == std::vector{id("a")});
  t.receive(msg::Tasks{watches[0].request, {}, false});
  CHECK(t.told.replies.empty());
  CHECK(t.core.next_deadline() == kNever);
  t.acknowledge({"a"});
  t.receive(Talk::delivery("a"));  // it was on its way
  CHECK(t.told.results.empty());
  CHECK(t.take<msg::DeliverAck>().empty());
  CHECK(t.take<msg::Watch>().size() == 1);
}

TEST_CASE("a result that was set aside and watched again is set aside once more") {
  Talk t;
  const auto watches_ended = [&] {
    t.core.handle(SessionCore::SetAside{}, t.now);
    t.turn();
    return t.take<msg::Watch>().size();
  };
  t.submit_accepted("a");
  t.receive(Talk::delivery("a"));
  CHECK(watches_ended() == 1);
  t.watch("a");
  t.receive(Talk::delivery("a"));
  CHECK(t.told.results.size() == 1);
  CHECK(watches_ended() == 1);
  CHECK(watches_ended() == 0);
}

TEST_CASE("a result that crosses the end of its watch stays with the dispatcher") {
  Talk t;
  t.submit_accepted("a");
  t.watch("a", msg::WatchLevel::kNone);
  t.receive(Talk::delivery("a"));
  CHECK(t.told.results.empty());
  CHECK(t.take<msg::DeliverAck>().empty());
  CHECK(t.take<msg::Watch>().at(0).level == msg::WatchLevel::kNone);
}

TEST_CASE("a result in hand is acknowledged although a second watch of it was ended") {
  Talk t;
  t.submit_accepted("a");
  t.receive(Talk::delivery("a"));
  SECTION("at once") {}
  SECTION("after it was set aside") { t.core.handle(SessionCore::SetAside{}, t.now); }
  t.watch("a");
  t.turn();
  t.watch("a", msg::WatchLevel::kNone);
  t.turn();
  t.take<msg::Watch>();
  t.receive(Talk::delivery("a"));  // it was on its way
  CHECK(t.told.results.empty());
  CHECK(t.take<msg::Watch>().size() == 1);  // ended, so that it is not repeated
  CHECK(t.take<msg::DeliverAck>().empty());
  t.acknowledge({"a"});
  CHECK(t.take<msg::DeliverAck>().at(0).ids == std::vector{id("a")});
}
