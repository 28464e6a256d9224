#include "tools/bench/virtual_fleet.h"

#include <catch2/catch.hpp>
#include <stdexcept>

using namespace genai;
using namespace genai::bench;

TEST_CASE("a virtual fleet runs tasks through the dispatcher and back") {
  VirtualFleet fleet({}, 1);
  fleet.join({.slots = 2});
  fleet.submit({{from_ms(1000)}, {from_ms(1000)}, {from_ms(1000)}}, from_ms(500));
  fleet.run();
  REQUIRE(fleet.trips().size() == 3);
  for (const VirtualTrip& trip : fleet.trips()) {
    CHECK(trip.status == TaskStatus::kCompleted);
    CHECK(trip.accepted_at == from_ms(500));
    CHECK(trip.run == from_ms(1000));
  }
  CHECK(fleet.trips()[0].waited() == from_ms(1));  // the way to the node
  CHECK(fleet.trips()[1].waited() == from_ms(1));
  CHECK(to_ms(fleet.trips()[2].waited()) / 10 == 100);
  CHECK(fleet.core().live_tasks() == 0);
  fleet.core().check();
}

TEST_CASE("tasks wait for a node that joins later") {
  VirtualFleet fleet({}, 1);
  fleet.submit({{from_ms(1000)}});
  fleet.join({}, from_ms(5000));
  fleet.run();
  CHECK(fleet.trips().at(0).waited() == from_ms(5001));
}

TEST_CASE("a task that always fails ends Failed, and its errors are counted") {
  VirtualFleet fleet({}, 1);
  fleet.join({.failure_ratio = 1});
  fleet.submit({{from_ms(1000)}});
  fleet.run();
  CHECK(fleet.trips().at(0).status == TaskStatus::kFailed);
  CHECK(fleet.errors() == dispatcher::Config{}.max_faults);
}

TEST_CASE("more results at once than a client's window holds are all delivered") {
  constexpr std::uint32_t kSlots = 1024;
  VirtualFleet fleet({}, 1);
  for (int i = 0; i < 3; ++i) fleet.join({.slots = kSlots});
  fleet.submit(std::vector<VirtualTask>(3 * kSlots, {from_ms(1000)}));
  fleet.run();
  CHECK(fleet.trips().size() == 3 * kSlots);
  for (const VirtualTrip& trip : fleet.trips()) CHECK(trip.in_system() == from_ms(1001));
}

TEST_CASE("a fleet without a node that fits does not end by itself") {
  VirtualFleet fleet({}, 1);
  fleet.join({.models = {{"sdxl", from_ms(1)}}});
  fleet.submit({{from_ms(1000), "flux"}});
  CHECK_THROWS_AS(fleet.run(), std::runtime_error);
}
