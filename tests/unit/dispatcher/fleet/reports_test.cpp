// What a broker reports: its lists, its deltas, and frames of its nodes.
#include "tests/unit/dispatcher/fleet/links.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::entry;
using genai::dispatcher::test::Links;
using genai::dispatcher::test::node;
using genai::dispatcher::test::session;
using genai::dispatcher::test::some_ref;

using fleet_event::Held;
using fleet_event::Joined;
using fleet_event::LinkUp;
using fleet_event::Loaded;
using fleet_event::Lost;
using fleet_event::ReachChanged;
using fleet_event::Spoke;
using fleet_event::Unreached;

// ---- lists

TEST_CASE("fleet: who is in a list has joined, with what its node has") {
  Links links;
  auto first = entry(1);
  first.held = {some_ref()};
  first.meta.slots = 4;
  links.list(0, {first, entry(2, 2, ProviderState::kSuspect)});
  CHECK(std::holds_alternative<LinkUp>(links.told.front()));
  const auto joined = links.all<Joined>();
  REQUIRE(joined.size() == 2);
  CHECK(joined[0]->session == session(1));
  CHECK(joined[0]->node_id == node(1));
  CHECK(joined[0]->meta.slots == 4);
  CHECK(!joined[0]->says_hello);
  const auto held = links.all<Held>();
  REQUIRE(held.size() == 2);
  CHECK(held[0]->refs == std::vector{some_ref()});
  CHECK(!held[0]->is_all);  // the broker may have it from before the last assignment
  CHECK(links.reach(1) == Reach::kOnline);
  CHECK(links.reach(2) == Reach::kSuspect);
}

TEST_CASE("fleet: of a list in parts nobody is missing before the last part") {
  Links links;
  links.list(0, {entry(1), entry(2), entry(3)});
  links.list(0, {entry(1)}, true);
  CHECK(links.all<Lost>().empty());
  links.list(0, {}, true);
  CHECK(links.all<Lost>().empty());
  CHECK(links.all<LinkUp>().empty());  // it is the same list
  links.list(0, {entry(3), entry(4)});
  CHECK(links.only<Lost>().session == session(2));
  CHECK(links.only<Lost>().cause == Cause::kLoss);
  CHECK(links.only<Lost>().fleet == 4);  // itself included
  CHECK(links.fleet.size() == 3);
}

TEST_CASE("fleet: a list that begins anew forgets the parts of the one that it replaces") {
  Links links;
  links.list(0, {entry(1), entry(2)});
  links.list(0, {entry(1)}, true);
  ++links.seqs[0];  // the broker was asked again meanwhile
  links.list(0, {entry(2)});
  CHECK(links.only<Lost>().session == session(1));
}

TEST_CASE("fleet: a young broker may not have heard from all nodes of its predecessor yet") {
  Links links;
  links.list(0, {entry(1), entry(2)});
  ++links.lives[0];
  SECTION("who is missing in its list has time to come back") {
    links.list(0, {entry(1)}, false, 100);
    CHECK(links.all<Lost>().empty());
    CHECK(links.reach(2) == Reach::kUnreachable);
    links.live_on(links.times.lost - from_ms(1));
    CHECK(links.all<Lost>().empty());
    links.live_on(from_ms(1));
    CHECK(links.only<Lost>().session == session(2));
    CHECK(links.only<Lost>().cause == Cause::kLoss);
  }
  SECTION("who comes back in time is not lost") {
    links.list(0, {entry(1)}, false, 100);
    links.live_on(links.times.lost / 2);
    links.hello(0, entry(2));
    CHECK(links.reach(2) == Reach::kOnline);
    links.live_on(2 * links.times.lost);
    CHECK(links.all<Lost>().empty());
  }
  SECTION("one that has watched for long enough is believed") {
    links.list(0, {entry(1)}, false, to_ms(links.times.lost));
    CHECK(links.only<Lost>().session == session(2));
  }
}

// ---- deltas

TEST_CASE("fleet: what happens to a node is told as it happens") {
  Links links;
  links.list(0, {});
  auto first = entry(1);
  first.held = {some_ref()};
  links.hello(0, first);
  CHECK(links.only<Joined>().says_hello);
  CHECK(links.only<Held>().is_all);
  links.change(0, msg::Delta::Beat{session(1), {some_ref()}, {"sdxl"}});
  CHECK(links.only<Loaded>().models == std::vector<std::string>{"sdxl"});
  CHECK(links.only<Held>().refs == std::vector{some_ref()});
  CHECK(links.only<Held>().is_all);
  links.state(0, 1, ProviderState::kSuspect);
  CHECK(links.only<ReachChanged>().reach == Reach::kSuspect);
  links.state(0, 1, ProviderState::kOnline);
  CHECK(links.only<ReachChanged>().reach == Reach::kOnline);
  links.state(0, 1, ProviderState::kDraining);
  CHECK(links.only<ReachChanged>().reach == Reach::kDraining);
  links.state(0, 1, ProviderState::kLeft);
  CHECK(links.only<Lost>().cause == Cause::kDrain);
  CHECK(links.only<Lost>().code == ErrorCode::kNodeDrained);
  CHECK_THAT(links.only<Lost>().reason, Catch::Contains("its reason"));
  links.hello(0, entry(2));
  links.state(0, 2, ProviderState::kLost);
  CHECK(links.only<Lost>().cause == Cause::kLoss);
  CHECK(links.only<Lost>().code == ErrorCode::kProviderLost);
  CHECK(links.fleet.size() == 0);
}

TEST_CASE("fleet: what is said of a session that nobody knows changes nothing") {
  Links links;
  links.list(0, {});
  links.state(0, 9, ProviderState::kLost);
  CHECK(links.told.empty());
  links.change(0, msg::Delta::Beat{session(9), {some_ref()}, {}});
  CHECK(links.told.empty());
  links.say(0, msg::FromNodes{{{session(9), Blob("frame")}}});
  CHECK(links.told.empty());
  links.say(0, msg::Undelivered{{{session(9), ErrorCode::kPeerFull}}});
  CHECK(links.told.empty());
}

TEST_CASE("fleet: after a gap in the deltas nothing is believed until a new list has come") {
  Links links;
  links.list(0, {entry(1)});
  links.pass(links.times.heartbeat);
  links.beat(0);
  ++links.seqs[0];  // lost on the way
  links.state(0, 1, ProviderState::kLost);
  CHECK(links.hellos(0).size() == 1);
  CHECK(links.all<Lost>().empty());
  links.hello(0, entry(2));  // in order behind the one that was not applied
  CHECK(links.fleet.find(session(2)) == nullptr);
  CHECK(links.hellos(0).empty());  // one is enough for now
  links.list(0, {entry(2)});
  CHECK(links.only<Lost>().session == session(1));
  CHECK(links.only<Joined>().session == session(2));
  links.state(0, 2, ProviderState::kSuspect);
  CHECK(links.reach(2) == Reach::kSuspect);
}

TEST_CASE("fleet: a delta that comes twice, or from another life of the broker, is a gap") {
  Links links;
  links.list(0, {entry(1)});
  links.pass(links.times.heartbeat);
  const bool is_twice = GENERATE(true, false);
  if (is_twice) {
    links.state(0, 1, ProviderState::kSuspect);
    --links.seqs[0];
  } else {
    ++links.lives[0];
  }
  links.state(0, 1, ProviderState::kLost);
  CHECK(links.all<Lost>().empty());
  CHECK(links.hellos(0).size() == 1);
}

TEST_CASE("fleet: a broker's heartbeat shows that a delta is missing") {
  Links links;
  links.list(0, {entry(1)});
  links.pass(links.times.heartbeat);
  links.beat(0);
  CHECK(links.told.empty());
  ++links.seqs[0];
  links.beat(0);
  CHECK(links.hellos(0).size() == 1);
}

TEST_CASE("fleet: deltas before the first list are no news") {
  Links links;
  links.expire();
  links.hello(0, entry(1));
  CHECK(links.fleet.size() == 0);
  CHECK(links.all<Joined>().empty());
}

// ---- frames

TEST_CASE("fleet: frames of nodes and frames that did not reach them are told of their session") {
  Links links(2);
  links.list(0, {entry(1)});
  links.list(1, {});
  links.say(0, msg::FromNodes{{{session(1), Blob("frame")}}});
  CHECK(links.only<Spoke>().session == session(1));
  CHECK(links.only<Spoke>().node_id == node(1));
  CHECK(links.only<Spoke>().frame.view() == "frame");
  links.say(0, msg::Undelivered{{{session(1), ErrorCode::kPeerFull}}});
  CHECK(links.only<Unreached>().code == ErrorCode::kPeerFull);
  links.say(0, msg::Undelivered{{{session(1), ErrorCode::kOk}}});
  CHECK(links.only<Unreached>().code == ErrorCode::kUnreachable);
  // Another broker has no say.
  links.say(1, msg::FromNodes{{{session(1), Blob("frame")}}});
  CHECK(links.told.empty());
  links.say(1, msg::Undelivered{{{session(1), ErrorCode::kPeerFull}}});
  CHECK(links.told.empty());
}

TEST_CASE("fleet: a node that says that it takes no more drains") {
  Links links;
  links.list(0, {entry(1)});
  links.fleet.handle_leaving(session(1), links.now);
  links.fleet.handle_leaving(session(2), links.now);
  links.look();
  CHECK(links.only<ReachChanged>().session == session(1));
  CHECK(links.only<ReachChanged>().reach == Reach::kDraining);
}
