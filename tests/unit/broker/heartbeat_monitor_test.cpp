#include "broker/heartbeat_monitor.h"

#include "tests/unit/broker/world.h"

namespace genai::broker::test {
namespace {

/// Steps like a healthy loop up to `ms` and gathers the verdicts.
HeartbeatMonitor::Verdicts step_to(HeartbeatMonitor& monitor, std::uint64_t ms) {
  HeartbeatMonitor::Verdicts all;
  for (bool last = false; !last;) {
    const Duration next = std::min(monitor.next_deadline(), from_ms(ms));
    last = next == from_ms(ms);
    CHECK(monitor.advance(next) == Duration(0));
    const auto some = monitor.judge();
    all.suspect.insert(all.suspect.end(), some.suspect.begin(), some.suspect.end());
    all.lost.insert(all.lost.end(), some.lost.begin(), some.lost.end());
    all.reprieved += some.reprieved;
    monitor.check();
  }
  return all;
}

}  // namespace

TEST_CASE("silence makes suspect, then lost, to the microsecond") {
  HeartbeatMonitor monitor{Timing{}};
  monitor.advance(from_ms(0));
  monitor.heard(session_of(1));
  CHECK(step_to(monitor, 2999).suspect.empty());
  const auto suspect = step_to(monitor, 3000).suspect;
  REQUIRE(suspect.size() == 1);
  CHECK(suspect[0].silence == from_ms(3000));
  CHECK(monitor.is_suspect(session_of(1)));
  CHECK(step_to(monitor, 4999).lost.empty());
  const auto lost = step_to(monitor, 5000).lost;
  REQUIRE(lost.size() == 1);
  CHECK(lost[0].session == session_of(1));
  CHECK(monitor.size() == 0);
}

TEST_CASE("life resets the silence in every stage") {
  HeartbeatMonitor monitor{Timing{}};
  monitor.advance(from_ms(0));
  monitor.heard(session_of(1));
  step_to(monitor, 2000);
  monitor.heard(session_of(1));
  CHECK(step_to(monitor, 4999).suspect.empty());
  CHECK(step_to(monitor, 5000).suspect.size() == 1);
  step_to(monitor, 6999);
  monitor.heard(session_of(1));
  CHECK(!monitor.is_suspect(session_of(1)));
  const auto verdicts = step_to(monitor, 9998);
  CHECK(verdicts.suspect.empty());
  CHECK(verdicts.lost.empty());
}

TEST_CASE("a forgotten session gets no verdict") {
  HeartbeatMonitor monitor{Timing{}};
  monitor.advance(from_ms(0));
  monitor.heard(session_of(1));
  monitor.forget(session_of(1));
  monitor.forget(session_of(2));
  const auto verdicts = step_to(monitor, 20'000);
  CHECK(verdicts.suspect.empty());
  CHECK(verdicts.lost.empty());
}

TEST_CASE("a gap beyond half the suspect time is skipped, a shorter one is not") {
  HeartbeatMonitor monitor{Timing{}};
  monitor.advance(from_ms(0));
  monitor.heard(session_of(1));
  SECTION("half is not late") {
    CHECK(monitor.advance(from_ms(1500)) == Duration(0));
    CHECK(step_to(monitor, 3000).suspect.size() == 1);
  }
  SECTION("more is") {
    CHECK(monitor.advance(from_ms(60'000)) == from_ms(60'000));
    CHECK(monitor.judge().suspect.empty());
    CHECK(step_to(monitor, 62'999).suspect.empty());
    CHECK(step_to(monitor, 63'000).suspect.size() == 1);
  }
}

TEST_CASE("an obedient loop is never late, whatever the timing") {
  for (const Timing timing : {Timing{from_ms(10), from_ms(11), from_ms(12)},
                              Timing{from_ms(1000), from_ms(1001), from_ms(60'000)}}) {
    HeartbeatMonitor monitor{timing};
    monitor.advance(from_ms(0));
    monitor.heard(session_of(1));
    Duration now{0};
    std::size_t lost = 0;
    while (lost == 0 && now < from_ms(120'000)) {
      now = std::max(now + from_ms(1), monitor.next_deadline());
      CHECK(monitor.advance(now) == Duration(0));
      lost = monitor.judge().lost.size();
    }
    CHECK(lost == 1);
    CHECK(now <= timing.lost + from_ms(2));
  }
}

TEST_CASE("when most nodes fall silent together they get another lost time, once") {
  HeartbeatMonitor monitor{Timing{}};
  monitor.advance(from_ms(0));
  // Not in step, as real nodes are: they come due one after another.
  for (std::uint8_t n = 1; n <= 5; ++n) {
    step_to(monitor, n * 200u);
    monitor.heard(session_of(n));
  }
  for (std::uint64_t ms = 1500; ms <= 11'000; ms += 500) {
    const auto verdicts = step_to(monitor, ms);
    CHECK(verdicts.lost.size() == (ms == 10'500 ? 2 : ms == 11'000 ? 1 : 0));
    CHECK(verdicts.reprieved == (ms == 5500 ? 3 : 0));
    monitor.heard(session_of(4));
    monitor.heard(session_of(5));
  }
  CHECK(monitor.size() == 2);
}

TEST_CASE("the reprieve needs a majority of at least four nodes") {
  const auto [nodes, silent, reprieved] =
      GENERATE(table<int, int, int>({{3, 3, 0}, {4, 2, 0}, {4, 3, 3}, {4, 4, 4}, {5, 2, 0}}));
  HeartbeatMonitor monitor{Timing{}};
  monitor.advance(from_ms(0));
  for (int n = 1; n <= nodes; ++n) monitor.heard(session_of(static_cast<std::uint8_t>(n)));
  std::size_t spared = 0, lost = 0;
  for (std::uint64_t ms = 500; ms <= 6000; ms += 500) {
    const auto verdicts = step_to(monitor, ms);
    spared += verdicts.reprieved;
    lost += verdicts.lost.size();
    for (int n = silent + 1; n <= nodes; ++n)
      monitor.heard(session_of(static_cast<std::uint8_t>(n)));
  }
  CHECK(spared == static_cast<std::size_t>(reprieved));
  CHECK(lost == static_cast<std::size_t>(silent - reprieved));
}

}  // namespace genai::broker::test
