// What nodes say they hold, give back or have finished, and what is made of it.
#include "world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

TEST_CASE("tasks that a node kept have the time of those before them too") {
  World w;
  w.snapshot({World::entry(1)});
  TaskSpec spec;
  spec.time_limit_ms = 10'000;
  for (const char* id : {"a", "b", "c"}) w.submit(id, spec);
  std::vector<AssignmentRef> held;
  for (auto& [node, ref] : w.take_assigned()) {
    w.ack(node, ref);
    held.push_back(ref);
  }
  REQUIRE(held.size() == 2);  // one runs, one is prefetched
  w.state(1, ProviderState::kLost);
  w.join(1, 1, held);
  CHECK(w.take_to_nodes<msg::Keep>().size() == 2);
  w.run_for(9'000);
  w.result(1, held[0]);
  w.run_for(9'000);
  CHECK(w.task(held[1].task_id.str()).status == TaskStatus::kSent);
  w.result(1, held[1]);
  CHECK(w.task(held[1].task_id.str()).faults == 0);
  CHECK(w.task(held[1].task_id.str()).status == TaskStatus::kCompleted);
}
