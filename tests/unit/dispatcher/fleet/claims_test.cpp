// What nodes say they hold, give back or have finished, and what is made of it.
#include "tests/unit/dispatcher/world.h"

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

TEST_CASE("an abort is repeated at one pace, however often its node changes its mind") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.cancel("t");
  // The node's end is not known, so a claim means that it still runs it.
  for (int i = 0; i < 5; ++i) {
    w.beat(node, {});
    w.beat(node, {ref});
    w.advance(10);
  }
  w.take_to_nodes<msg::Abort>();
  w.run_for(10'000);
  CHECK(w.take_to_nodes<msg::Abort>().size() == 5);
}

TEST_CASE("a small result does not keep its link frame in memory, a large one is not copied") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  const auto lies_in_its_frame = [&](std::size_t bytes) {
    const msg::Result result{{{ref, msg::Outcome::kOk, {}, Blob(std::string(bytes, 'r'))}}};
    const Blob frame(encode(msg::FromNodes{{{World::session(node), Blob(encode(result))}}}));
    w.core.handle(LinkFrame{0, frame}, w.now);
    const std::string_view kept = w.task("t").result.view();
    REQUIRE(kept.size() == bytes);
    return kept.data() >= frame.view().data() &&
           kept.data() < frame.view().data() + frame.view().size();
  };
  SECTION("small") { CHECK(!lies_in_its_frame(100)); }
  SECTION("large") { CHECK(lies_in_its_frame(limits::kBatchTargetBytes)); }
}

TEST_CASE("a node that gives a task back without leaving is not asked again at once") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.give_back(node, ref);
  w.run_for(900);
  CHECK(w.take_assigned().empty());
  w.run_for(200);
  CHECK(w.take_only_assigned().second.attempt == 2);
}
