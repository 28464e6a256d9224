// Whatever happens to the process or its disk, at every commit there is: what was acknowledged is
// there afterwards, and what was delivered never changes.
#include "tests/unit/dispatcher/store/durable_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::test;

namespace {

constexpr int kSteps = 150;

/// The run of a seed with one thing that goes wrong, or none; the number of commits it took.
std::uint64_t run(unsigned seed, std::uint64_t crash_at, bool before_sync, Fault fault) {
  CAPTURE(seed, crash_at, before_sync, int(fault));
  DurableFleet fleet(seed);
  fleet.crash_at = crash_at;
  fleet.crash_before_sync = before_sync;
  fleet.fault = fault;
  for (int step = 0; step < kSteps; ++step) fleet.act();
  fleet.heal();
  fleet.check();
  const bool survives = fault == Fault::kNoSpace || fault == Fault::kShortWrite;
  if (crash_at != 0 && crash_at <= fleet.store.commits && !survives) CHECK(fleet.crashes == 1);
  return fleet.store.commits;
}

}  // namespace

TEST_CASE("a crash at every commit boundary, and every fault of the disk at every commit") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    const std::uint64_t commits = run(seed, 0, false, Fault::kNone);
    REQUIRE(commits > 20);
    for (std::uint64_t at = 1; at <= commits; ++at) {
      run(seed, at, true, Fault::kNone);
      for (const Fault fault : kAllFaults) run(seed, at, false, fault);
    }
  }
}

TEST_CASE("crash after crash") {
  for (unsigned seed = 100; seed < 160; ++seed) {
    CAPTURE(seed);
    DurableFleet fleet(seed);
    for (int step = 0; step < 300; ++step) {
      if (fleet.pick(12) == 0) fleet.crash();
      fleet.act();
    }
    fleet.heal();
    fleet.check();
    CHECK(fleet.crashes > 5);
    CHECK(!fleet.accepted.empty());
  }
}
