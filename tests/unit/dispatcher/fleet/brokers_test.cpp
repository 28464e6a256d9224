// Several brokers: whose a node is, and what holds whatever they say.
#include <random>
#include <set>

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
using fleet_event::Lost;
using fleet_event::ReachChanged;
using fleet_event::SendToBroker;

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
