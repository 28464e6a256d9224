// Other dispatchers at the same brokers, by what the brokers answer.
#include "tests/unit/dispatcher/fleet/links.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::entry;
using genai::dispatcher::test::Links;

using fleet_event::LinkUp;
using fleet_event::Superseded;

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
