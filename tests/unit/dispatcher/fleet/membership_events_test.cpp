// Which nodes there are, by what the brokers say: messages of brokers in, events out.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dispatcher/fleet/membership.h"
#include "protocol/wire/messages.h"

using namespace genai;
using namespace genai::dispatcher;

using fleet_event::Held;
using fleet_event::Joined;
using fleet_event::LinkUp;
using fleet_event::Loaded;
using fleet_event::Lost;
using fleet_event::ReachChanged;
using fleet_event::Reopen;
using fleet_event::SendToBroker;
using fleet_event::Spoke;
using fleet_event::Superseded;
using fleet_event::Unreached;

namespace {

template <class Id>
Id numbered(unsigned number) {
  typename Id::Bytes bytes{};
  bytes[0] = static_cast<std::uint8_t>(number);
  bytes[1] = static_cast<std::uint8_t>(number >> 8);
  bytes[15] = 1;
  return Id(bytes);
}
SessionId session(unsigned number) { return numbered<SessionId>(number); }
NodeId node(unsigned number) { return *NodeId::parse("node-" + std::to_string(number)); }

AssignmentRef some_ref() { return {*TaskId::parse("t"), 1, 7}; }

/// Session `number` of node `of`, by default of the same number.
msg::ProviderEntry entry(unsigned number, unsigned of = 0,
                         ProviderState state = ProviderState::kOnline) {
  return {session(number), node(of ? of : number), state, {}, {}};
}

struct Links {
  static constexpr std::uint64_t kEpoch = 7;

  LinkTimes times;
  Now now{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  Membership fleet;
  std::vector<std::uint64_t> seqs;  // of the last delta of each broker
  std::vector<unsigned> lives;      // of each broker
  std::vector<FleetEvent> told;     // by the last thing that happened

  explicit Links(std::size_t brokers = 1)
      : fleet(times, numbered<InstanceId>(900), kEpoch, endpoints(brokers), now),
        seqs(brokers, 0),
        lives(brokers, 0) {}
  static std::vector<std::string> endpoints(std::size_t brokers) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < brokers; ++i) names.push_back("ipc://" + std::to_string(i));
    return names;
  }
  InstanceId instance(std::size_t broker) const {
    return numbered<InstanceId>(static_cast<unsigned>(1000 + broker * 100 + lives[broker]));
  }

  void pass(Duration span) {
    now.mono += span;
    now.wall += span;
  }
  void look() {
    fleet.take_events(told);
    fleet.check();
  }
  void expire(Duration judge_from = Duration{0}) {
    fleet.expire(now, judge_from);
    look();
    REQUIRE(fleet.next_deadline(judge_from) > now.mono);  // a loop would spin
  }
  /// All brokers but the silent one are heard, until the time has passed.
  void live_on(Duration span, std::size_t silent = SIZE_MAX) {
    std::vector<FleetEvent> all;
    const Duration until = now.mono + span;
    while (now.mono < until) {
      pass(std::min(times.heartbeat, until - now.mono));
      for (std::size_t i = 0; i < seqs.size(); ++i)
        if (i != silent) beat(i), keep(all);
      expire();
      keep(all);
    }
    told = std::move(all);
  }
  void keep(std::vector<FleetEvent>& all) {
    for (FleetEvent& event : std::exchange(told, {})) all.push_back(std::move(event));
  }

  // ---- brokers
  void say(std::size_t broker, LinkToDispatcher message) {
    fleet.handle(broker, std::move(message), now);
    look();
  }
  void list(std::size_t broker, std::vector<msg::ProviderEntry> entries, bool more = false,
            std::uint64_t uptime_ms = 3'600'000) {
    say(broker, msg::Snapshot{instance(broker), seqs[broker], uptime_ms, std::move(entries), more});
  }
  void change(std::size_t broker, msg::Delta::Change what) {
    say(broker, msg::Delta{instance(broker), ++seqs[broker], {std::move(what)}});
  }
  void hello(std::size_t broker, msg::ProviderEntry who) {
    change(broker, msg::Delta::Joined{std::move(who)});
  }
  void state(std::size_t broker, unsigned number, ProviderState state) {
    change(broker, msg::Delta::StateChanged{session(number), state, "its reason"});
  }
  void beat(std::size_t broker) { say(broker, msg::LinkHeartbeat{instance(broker), seqs[broker]}); }
  void refuse(std::size_t broker, ErrorCode code) { say(broker, msg::ErrorReply{0, code, "no"}); }

  // ---- what was told
  template <class Event>
  std::vector<const Event*> all() const {
    std::vector<const Event*> found;
    for (const FleetEvent& event : told)
      if (const auto* one = std::get_if<Event>(&event)) found.push_back(one);
    return found;
  }
  template <class Event>
  const Event& only() const {
    const auto found = all<Event>();
    REQUIRE(found.size() == 1);
    return *found.front();
  }
  /// Hellos to the broker.
  std::vector<msg::LinkHello> hellos(std::size_t broker) const {
    std::vector<msg::LinkHello> found;
    for (const SendToBroker* sent : all<SendToBroker>())
      if (const auto* one = std::get_if<msg::LinkHello>(&sent->message);
          one && sent->broker == broker)
        found.push_back(*one);
    return found;
  }
  bool is_told_only_to_log() const {
    return std::ranges::all_of(
        told, [](const FleetEvent& event) { return std::holds_alternative<LogEvent>(event); });
  }
  Reach reach(unsigned number) const {
    const Session* found = fleet.find(session(number));
    REQUIRE(found != nullptr);
    return found->reach;
  }
};

}  // namespace

// ---- links

TEST_CASE("fleet: each broker is asked for its nodes until it answers") {
  Links links(2);
  links.expire();
  for (const std::size_t broker : {0, 1}) {
    REQUIRE(links.hellos(broker).size() == 1);
    CHECK(links.hellos(broker)[0].epoch == Links::kEpoch);
    CHECK(links.hellos(broker)[0].dispatcher == numbered<InstanceId>(900));
  }
  links.expire();
  CHECK(links.told.empty());
  links.list(1, {});
  CHECK(links.all<LinkUp>().size() == 1);
  links.now.mono = links.fleet.next_deadline(Duration{0});
  links.expire();
  links.pass(links.times.heartbeat);
  links.beat(1);
  links.expire();
  CHECK(links.hellos(0).size() == 1);
  CHECK(links.hellos(1).empty());
}

TEST_CASE("fleet: a broker that is up gets a heartbeat with the last delta that was applied") {
  Links links;
  links.list(0, {});
  links.hello(0, entry(1));
  links.hello(0, entry(2));
  links.pass(links.times.heartbeat);
  links.expire();
  const auto sent = links.all<SendToBroker>();
  REQUIRE(!sent.empty());
  const auto* beat = std::get_if<msg::LinkHeartbeat>(&sent.front()->message);
  REQUIRE(beat != nullptr);
  CHECK(beat->seq == 2);
  links.expire();
  CHECK(links.told.empty());
}

TEST_CASE("fleet: people are told of a broker that does not answer, but not with each try") {
  Links links;
  std::size_t lines = 0, tries = 0;
  for (int i = 0; i < 300; ++i) {
    links.pass(from_ms(100));
    links.expire();
    lines += links.all<LogEvent>().size();
    tries += links.hellos(0).size();
  }
  CHECK(lines == 1);
  CHECK(tries > 20);
}

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

// ---- two brokers

TEST_CASE("fleet: a session that moves to another broker is reached there and judged there") {
  Links links(2);
  links.list(0, {entry(1)});
  links.list(1, {});
  links.hello(1, entry(1));
  CHECK(links.only<Joined>().session == session(1));
  CHECK(links.all<Lost>().empty());
  CHECK(links.fleet.find(session(1))->broker == 1);
  links.state(0, 1, ProviderState::kLost);  // it is not heard there any more
  CHECK(links.told.empty());
  links.list(0, {entry(1)});  // nor does a list bring it back
  CHECK(links.all<Joined>().empty());
  CHECK(links.fleet.find(session(1))->broker == 1);
  links.pass(links.times.heartbeat);
  links.state(1, 1, ProviderState::kSuspect);
  CHECK(links.hellos(0).size() == 1);  // it may be there after all
  CHECK(links.hellos(1).empty());
  links.list(0, {entry(1)});
  CHECK(links.fleet.find(session(1))->broker == 0);
  CHECK(links.reach(1) == Reach::kOnline);
}

TEST_CASE("fleet: of two nodes under one id at two brokers the one that came first serves") {
  Links links(2);
  links.list(0, {entry(1, 1)});
  links.list(1, {});
  links.hello(1, entry(2, 1));
  CHECK(links.all<Joined>().empty());
  CHECK(links.all<Lost>().empty());
  CHECK(links.fleet.find(session(2)) == nullptr);
  // The other one is told why it gets nothing.
  const auto* sent = std::get_if<msg::ToNodes>(&links.only<SendToBroker>().message);
  REQUIRE(sent != nullptr);
  CHECK(links.only<SendToBroker>().broker == 1);
  REQUIRE(sent->parcels.size() == 1);
  CHECK(sent->parcels[0].session == session(2));
  links.pass(links.times.heartbeat);
  links.state(0, 1, ProviderState::kLost);
  CHECK(links.only<Lost>().session == session(1));
  CHECK(links.hellos(1).size() == 1);
  links.list(1, {entry(2, 1)});
  CHECK(links.only<Joined>().session == session(2));
}

TEST_CASE("fleet: a node that was started anew replaces its former session") {
  Links links(2);
  links.list(0, {entry(1, 1)});
  links.list(1, {});
  const bool moves = GENERATE(false, true);
  if (moves) links.state(0, 1, ProviderState::kSuspect);  // else the former one serves
  links.hello(moves ? 1 : 0, entry(2, 1));
  CHECK(links.only<Lost>().session == session(1));
  CHECK(links.only<Lost>().cause == Cause::kNobody);  // what it executed is not to blame
  CHECK(links.only<Joined>().session == session(2));
  CHECK(links.fleet.size() == 1);
}

TEST_CASE("fleet: a node cannot use the session of another") {
  Links links(2);
  links.list(0, {entry(1, 1)});
  links.list(1, {});
  const bool by_hello = GENERATE(true, false);
  if (by_hello)
    links.hello(1, entry(1, 2));
  else
    links.list(1, {entry(1, 2)});
  CHECK(links.only<Malformed>().who == "node-2");
  CHECK(links.only<Malformed>().error.code == ErrorCode::kNotAllowed);
  CHECK(links.all<Joined>().empty());
  CHECK(links.fleet.find(session(1))->node_id == node(1));
  CHECK(links.fleet.find(session(1))->broker == 0);
}

// ---- silence

TEST_CASE("fleet: the nodes of a silent broker are lost after their grace, if others are reached") {
  Links links(2);
  links.list(0, {entry(1)});
  links.list(1, {entry(2)});
  CHECK(links.fleet.is_heard(0, links.now));
  links.live_on(links.times.lost - from_ms(1), 0);
  CHECK(links.all<Reopen>().empty());
  CHECK(links.reach(1) == Reach::kOnline);
  links.live_on(from_ms(1), 0);
  CHECK(links.only<Reopen>().broker == 0);
  CHECK(links.reach(1) == Reach::kUnreachable);
  CHECK(!links.fleet.is_heard(0, links.now));
  links.live_on(links.times.lost - from_ms(1), 0);
  CHECK(links.all<Lost>().empty());
  links.live_on(from_ms(1), 0);
  CHECK(links.only<Lost>().session == session(1));
  CHECK(links.reach(2) == Reach::kOnline);
}

TEST_CASE("fleet: a silent broker that is back in time brings its nodes back") {
  Links links(2);
  links.list(0, {entry(1)});
  links.list(1, {});
  links.live_on(links.times.lost, 0);
  CHECK(links.reach(1) == Reach::kUnreachable);
  links.live_on(links.times.lost / 2, 0);
  links.list(0, {entry(1)});
  CHECK(links.reach(1) == Reach::kOnline);
  links.live_on(3 * links.times.lost);
  CHECK(links.all<Lost>().empty());
}

TEST_CASE("fleet: while no broker is reached no node is lost, since none could take its tasks") {
  Links links(2);
  links.list(0, {entry(1)});
  links.list(1, {});
  for (int i = 0; i < 100; ++i) {
    links.pass(links.times.heartbeat);
    links.expire();
    CHECK(links.all<Lost>().empty());
  }
  CHECK(links.reach(1) == Reach::kUnreachable);
  links.list(1, {});  // from now on its grace runs
  links.live_on(links.times.lost - from_ms(1), 0);
  CHECK(links.all<Lost>().empty());
  links.live_on(from_ms(1), 0);
  CHECK(links.only<Lost>().session == session(1));
}

TEST_CASE("fleet: nobody is judged before this process has heard what came while it was late") {
  Links links;
  links.list(0, {entry(1)});
  links.pass(3 * links.times.lost);
  const Duration judge_from = links.now.mono + from_ms(500);
  links.expire(judge_from);
  CHECK(links.all<Reopen>().empty());
  CHECK(links.fleet.next_deadline(judge_from) <= judge_from);
  links.pass(from_ms(500));
  SECTION("it heard nothing") {
    links.expire(judge_from);
    CHECK(links.all<Reopen>().size() == 1);
  }
  SECTION("it heard the broker") {
    links.beat(0);
    links.expire(judge_from);
    CHECK(links.all<Reopen>().empty());
  }
}

TEST_CASE("fleet: the time for which this process slept is not the silence of a broker") {
  Links links;
  links.list(0, {entry(1)});
  links.pass(2 * links.times.lost);
  links.fleet.forgive(2 * links.times.lost);
  links.expire();
  CHECK(links.all<Reopen>().empty());
  links.pass(links.times.lost);
  links.expire();
  CHECK(links.all<Reopen>().size() == 1);
}

// ---- other dispatchers

TEST_CASE("fleet: another dispatcher has taken over when it has all brokers") {
  Links links(2);
  links.list(0, {entry(1)});
  links.list(1, {entry(2)});
  links.refuse(0, ErrorCode::kSuperseded);
  CHECK(!links.fleet.is_superseded());
  CHECK(links.all<Superseded>().empty());
  CHECK(links.reach(1) == Reach::kUnreachable);
  CHECK(links.reach(2) == Reach::kOnline);
  links.refuse(1, ErrorCode::kSuperseded);
  CHECK(links.fleet.is_superseded());
  CHECK(links.all<Superseded>().size() == 1);
  links.refuse(1, ErrorCode::kSuperseded);
  CHECK(links.told.empty());
  CHECK(!links.fleet.wants_epoch());
  // It goes on asking, though not as often, and serves again when it is let in.
  std::size_t asked = 0;
  for (int i = 0; i < 60; ++i) {
    links.pass(links.times.heartbeat);
    links.expire();
    const bool asks[] = {!links.hellos(0).empty(), !links.hellos(1).empty()};
    asked += asks[0];
    for (const std::size_t broker : {0, 1})
      if (asks[broker]) links.refuse(broker, ErrorCode::kSuperseded);
  }
  CHECK(asked > 0);
  CHECK(asked < 30);
  links.list(0, {entry(1)});
  CHECK(!links.fleet.is_superseded());
  CHECK(links.all<LinkUp>().size() == 1);
}

TEST_CASE("fleet: a broker that does not let this dispatcher in does not serve another one") {
  Links links;
  links.refuse(0, ErrorCode::kNotAllowed);
  CHECK(links.fleet.is_refused_everywhere());
  CHECK(!links.fleet.is_superseded());
  CHECK(links.all<Superseded>().empty());
  CHECK(links.all<LogEvent>().size() == 1);
}

TEST_CASE("fleet: an answer that a broker gave before it fell silent holds no more") {
  Links links;
  links.refuse(0, ErrorCode::kSuperseded);
  CHECK(links.fleet.is_superseded());
  for (int i = 0; i < 60; ++i) {
    links.pass(links.times.heartbeat);
    links.expire();
  }
  CHECK(!links.fleet.is_superseded());
  CHECK(!links.fleet.is_refused_everywhere());
}

TEST_CASE("fleet: where a later dispatcher is gone a higher epoch is asked for, in growing steps") {
  Links links(2);
  links.list(0, {entry(1)});
  links.refuse(1, ErrorCode::kEpochTooLow);
  std::uint64_t last_step = 0;
  for (int i = 0; i < 70; ++i) {
    REQUIRE(links.fleet.wants_epoch());
    const std::uint64_t least = links.fleet.least_epoch();
    REQUIRE(least > links.fleet.epoch());
    const std::uint64_t step = least - links.fleet.epoch();
    CHECK(step > last_step);
    last_step = step;
    links.fleet.raise_epoch(least, links.now);
    links.look();
    CHECK(links.fleet.epoch() == least);
    CHECK(!links.fleet.wants_epoch());  // it has to be tried first
    links.expire();
    REQUIRE(links.hellos(1).size() == 1);
    CHECK(links.hellos(1)[0].epoch == least);
    links.refuse(1, ErrorCode::kEpochTooLow);
    if (!links.fleet.wants_epoch()) break;  // higher than any store keeps
  }
  CHECK(links.fleet.epoch() < std::uint64_t{1} << 63);
  CHECK(links.fleet.epoch() >= std::uint64_t{1} << 61);
}

TEST_CASE("fleet: an epoch that a broker accepts is raised in small steps again") {
  Links links;
  for (int i = 0; i < 5; ++i) {
    links.refuse(0, ErrorCode::kEpochTooLow);
    links.fleet.raise_epoch(links.fleet.least_epoch(), links.now);
  }
  CHECK(links.fleet.least_epoch() > links.fleet.epoch() + 1);
  links.list(0, {});
  CHECK(links.fleet.least_epoch() == links.fleet.epoch() + 1);
  CHECK(!links.fleet.is_superseded());
}

// ---- all of it

TEST_CASE("fleet: whatever brokers say, the next deadline lies ahead and nobody is told twice") {
  const unsigned seed = GENERATE(range(1u, 41u));
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto draw = [&](unsigned below) {
    return std::uniform_int_distribution<unsigned>(0, below - 1)(random);
  };
  Links links(2);
  std::set<SessionId> there;
  const auto follow = [&] {
    for (const FleetEvent& event : links.told) {
      if (const auto* joined = std::get_if<Joined>(&event)) there.insert(joined->session);
      if (const auto* lost = std::get_if<Lost>(&event)) REQUIRE(there.erase(lost->session) == 1);
      if (const auto* held = std::get_if<Held>(&event)) REQUIRE(there.contains(held->session));
      if (const auto* changed = std::get_if<ReachChanged>(&event))
        REQUIRE(there.contains(changed->session));
    }
    links.told.clear();
    REQUIRE(there.size() == links.fleet.size());
  };
  const auto any_entry = [&] {
    const unsigned number = 1 + draw(6);
    return entry(number, draw(4) ? number : 1 + draw(6), static_cast<ProviderState>(draw(3)));
  };
  for (int i = 0; i < 400; ++i) {
    const std::size_t broker = draw(2);
    switch (draw(12)) {
      case 0:
      case 1: {
        std::vector<msg::ProviderEntry> entries;
        for (unsigned n = draw(5); n > 0; --n) entries.push_back(any_entry());
        links.list(broker, entries, draw(4) == 0, draw(2) ? 0 : 3'600'000);
        break;
      }
      case 2:
      case 3:
        links.hello(broker, any_entry());
        break;
      case 4:
        links.state(broker, 1 + draw(6), static_cast<ProviderState>(draw(5)));
        break;
      case 5:
        links.change(broker, msg::Delta::Beat{session(1 + draw(6)), {some_ref()}, {}});
        break;
      case 6:
        links.refuse(broker, draw(2) ? ErrorCode::kSuperseded : ErrorCode::kEpochTooLow);
        break;
      case 7:
        if (draw(3) == 0) ++links.lives[broker];
        links.seqs[broker] += draw(2);
        break;
      case 8:
        if (links.fleet.wants_epoch())
          links.fleet.raise_epoch(links.fleet.least_epoch(), links.now);
        break;
      default:
        links.pass(from_ms(draw(3'000)));
        links.beat(broker);
    }
    follow();
    links.expire(draw(4) ? Duration{0} : links.now.mono + from_ms(1 + draw(1'000)));
    follow();
  }
}
