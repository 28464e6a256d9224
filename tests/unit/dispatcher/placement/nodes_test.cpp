// Placement alone: which nodes get work.
#include "tests/unit/dispatcher/placement/placing.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::node;
using genai::dispatcher::test::Placed;
using genai::dispatcher::test::Placing;
using genai::dispatcher::test::session;
using genai::dispatcher::test::slots;

TEST_CASE("placing: only a node that is online gets work") {
  Placing p;
  p.join(1);
  const auto reach = GENERATE(Reach::kSuspect, Reach::kDraining, Reach::kUnreachable);
  p.reach(1, reach);
  p.accept();
  CHECK(p.place().empty());
  p.reach(1, Reach::kOnline);
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: an operator drains a node, whatever becomes of its sessions") {
  Placing p;
  CHECK(!p.placement.drain(node(1), true, p.now));
  CHECK(!p.placement.has_changes());
  p.join(1);
  REQUIRE(p.placement.drain(node(1), true, p.now));
  CHECK(p.placement.next_commit() <= p.now.mono);  // the operator waits for it
  const auto [nodes, measures] = p.take_changes();
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].id == node(1));
  CHECK(nodes[0].drained);
  CHECK(measures.empty());
  p.accept();
  CHECK(p.place().empty());
  p.tell(task_event::SessionEnded{session(1), 0, Cause::kDrain, false});
  p.take_changes();
  p.join(2, {}, 1);  // the same node again
  CHECK(p.place().empty());
  CHECK(p.placement.drain(node(1), false, p.now));
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: a drain of an earlier process holds") {
  Placing p;
  store::NodeRow row;
  row.id = node(1);
  row.drained = true;
  row.completed = 9;
  p.placement.restore(row);
  CHECK(!p.placement.has_changes());
  p.join(1);
  p.accept();
  CHECK(p.place().empty());
  CHECK(p.record(1).completed == 9);
  CHECK(p.placement.drain(node(1), false, p.now));
  CHECK(p.place().size() == 1);
}

TEST_CASE("placing: aborted attempts occupy their node") {
  PlacementPolicy policy;
  policy.prefetch = 0;
  Placing p(policy);
  p.join(1, slots(2));
  p.tell(task_event::Aborting{session(1), 1});
  p.accept();
  p.accept();
  CHECK(p.place() == Placed{"t1>node-1"});
  p.tell(task_event::Aborting{session(1), 0});
  CHECK(p.place() == Placed{"t2>node-1"});
}

TEST_CASE("placing: a node that refuses is left alone for a moment, and the loop is woken then") {
  Placing p;
  Task& task = p.assigned();
  p.requeue(task);
  p.behave(1, GENERATE(Conduct::kRefused, Conduct::kFull));
  CHECK(p.place().empty());
  const Duration wake = p.placement.next_deadline();
  REQUIRE(wake > p.now.mono);
  REQUIRE(wake != kNever);
  p.pass(wake - p.now.mono);
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: a node that has failed often rests, and its next session rests on") {
  const auto conduct = GENERATE(Conduct::kError, Conduct::kSlow, Conduct::kDropped);
  Placing p;
  p.join(1);
  for (int i = 0; i < 3; ++i) {
    Task& task = p.accept();
    REQUIRE(p.place().size() == 1);
    p.behave(1, conduct, &task);
    p.cancel(task);
  }
  CHECK(p.record(1).failed == (conduct == Conduct::kError ? 3 : 0));
  CHECK(p.record(1).lost == (conduct == Conduct::kDropped ? 3 : 0));
  CHECK(p.placement.failures(session(1)) == 3);
  p.accept();
  CHECK(p.place().empty());
  p.tell(task_event::SessionEnded{session(1), 0, Cause::kNobody, false});
  p.join(2, {}, 1);
  CHECK(p.place().empty());
  const Duration wake = p.placement.next_deadline();
  REQUIRE(wake != kNever);
  p.pass(wake - p.now.mono);
  CHECK(p.place() == Placed{"t4>node-1"});
}

TEST_CASE("placing: an error that the task would have anywhere is no failure of the node") {
  Placing p;
  p.join(1);
  for (int i = 0; i < 10; ++i) {
    Task& task = p.accept();
    REQUIRE(p.place().size() == 1);
    p.behave(1, Conduct::kImpossible, &task);
    p.cancel(task);
  }
  CHECK(p.record(1).failed == 10);
  CHECK(p.placement.failures(session(1)) == 0);
}

TEST_CASE("placing: a node that can run nothing is told of once, and is tried when it says hello") {
  Placing p;
  p.join(1);
  p.behave(1, Conduct::kUnfit, nullptr, "no GPU");
  CHECK(p.notes.size() == 1);
  p.behave(1, Conduct::kUnfit, nullptr, "no GPU");
  CHECK(p.notes.empty());
  p.accept();
  CHECK(p.place().empty());
  CHECK_THAT(p.provider(1).trouble(), Catch::Contains("no GPU"));
  p.tell(fleet_event::Joined{session(1), node(1), {}, false});  // its broker lists it
  CHECK(p.place().empty());
  p.tell(fleet_event::Joined{session(1), node(1), {}, true});
  CHECK(p.provider(1).trouble().empty());
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: a session that ends is forgotten, and its attempts are counted as lost") {
  Placing p;
  p.join(1, slots(2));
  Task &a = p.accept(), &b = p.accept();
  p.place();
  p.requeue(a, Cause::kLoss);
  p.requeue(b, Cause::kLoss);
  p.tell(task_event::SessionEnded{session(1), 2, Cause::kLoss, true});
  CHECK(p.placement.providers().size() == 0);
  CHECK(p.record(1).lost == 2);
  CHECK(p.place().empty());
  p.join(1, slots(2));
  CHECK(p.placement.failures(session(1)) == 1);
}
