// Links to brokers: how they come up, and what their silence means.
#include "tests/unit/dispatcher/fleet/links.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::entry;
using genai::dispatcher::test::Links;
using genai::dispatcher::test::node;
using genai::dispatcher::test::numbered;
using genai::dispatcher::test::session;

using fleet_event::LinkUp;
using fleet_event::Lost;
using fleet_event::Reopen;
using fleet_event::SendToBroker;

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
