// Placement alone: when a task is placed, and when it is held back.
#include "tests/unit/dispatcher/placement/placing.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::needing;
using genai::dispatcher::test::node;
using genai::dispatcher::test::Placed;
using genai::dispatcher::test::Placing;
using genai::dispatcher::test::session;
using genai::dispatcher::test::with_models;

// ---- tasks

TEST_CASE("placing: a task is placed once, again when it comes back, and never after its end") {
  Placing p;
  Task& task = p.accept();
  CHECK(p.place().empty());
  CHECK(p.placement.entry(task) != nullptr);
  p.join(1);
  CHECK(p.place() == Placed{"t1>node-1"});
  CHECK(p.place().empty());
  CHECK(p.record(1).assigned == 1);
  p.requeue(task);
  CHECK(p.place() == Placed{"t1>node-1"});
  p.acknowledge(task);
  p.complete(task);
  CHECK(p.place().empty());
  CHECK(p.placement.entry(task) == nullptr);
  CHECK(p.placement.backlog().empty());
  CHECK(p.provider(1).outstanding() == 0);
  CHECK(p.record(1).completed == 1);
}

TEST_CASE("placing: a task that its node keeps leaves the queue and occupies that node") {
  Placing p;
  p.join(1);
  p.join(2);
  Task &kept = p.accept(), &other = p.accept();
  p.issue(kept, session(1), node(1));  // of an attempt that was given up
  kept.status = TaskStatus::kSent;
  p.tell(task_event::Acknowledged{&kept, session(1), true, false});
  CHECK(p.place() == Placed{"t2>node-2"});
  CHECK(p.provider(1).outstanding() == 1);
  p.complete(kept);
  p.complete(other);
  CHECK(p.provider(1).outstanding() == 0);
}

TEST_CASE("placing: what waits for the report of its node is not placed") {
  Placing p;
  p.join(1);
  p.join(2);
  Task& task = p.restore(true);
  CHECK(p.place().empty());
  SECTION("until it is given up") {
    p.tell(task_event::Reprioritised{&task});
    task.recovering = false;
    task.current = 0;
    p.tell(task_event::Requeued{&task, {}, Cause::kNobody});
    CHECK(p.place().size() == 1);
  }
  SECTION("its node keeps it") {
    task.recovering = false;
    task.status = TaskStatus::kSent;
    p.tell(task_event::Acknowledged{&task, session(1), true, true});
    CHECK(p.provider(1).outstanding() == 1);
    p.complete(task);
  }
  SECTION("a client cancels it") { p.cancel(task); }
  CHECK(p.place().empty());
}

TEST_CASE("placing: a task that only waited before a restart is placed like any other") {
  Placing p;
  p.join(1);
  p.restore(false);
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: a late result frees the node that has the task, and speaks for the other one") {
  Placing p;
  p.join(1);
  p.join(2);
  Task& task = p.accept();
  p.place();
  const SessionId at = Placing::session_of(task);
  const unsigned here = at == session(1) ? 1 : 2, there = 3 - here;
  task.status = TaskStatus::kCompleted;
  task.current = 0;
  p.tell(task_event::Ended{&task, TaskStatus::kScheduled, false, at, session(there), true, 0});
  CHECK(p.provider(here).outstanding() == 0);
  CHECK(p.record(here).completed == 0);
  CHECK(p.record(there).completed == 1);
  CHECK(p.take_changes().second.empty());  // how long it took is not known
}

TEST_CASE("placing: another priority changes the place in the queue") {
  Placing p;
  p.accept();
  Task& urgent = p.accept();
  urgent.priority_override = 9;
  p.tell(task_event::Reprioritised{&urgent});
  p.join(1);
  CHECK(p.place() == Placed{"t2>node-1"});
}

TEST_CASE("placing: tasks go only where the node has their model") {
  Placing p;
  p.accept(needing("sdxl"));
  p.accept(needing("flux"));
  p.join(1, with_models({"flux"}));
  CHECK(p.place() == Placed{"t2>node-1"});
  p.join(2, with_models({"sdxl"}));
  CHECK(p.place() == Placed{"t1>node-2"});
}

// ---- errors

TEST_CASE("placing: after its first error a task goes at once to a node that has not had it") {
  Placing p;
  p.join(1);
  p.join(2);
  Task& task = p.accept();
  p.place();
  const NodeId first = task.attempt(1)->node_id;
  p.acknowledge(task);
  p.requeue(task, Cause::kFault);
  REQUIRE(p.place().size() == 1);
  CHECK(task.attempt(2)->node_id != first);
}

TEST_CASE("placing: after an error a task is held back, longer with each one") {
  Placing p;
  p.join(1);
  Task& task = p.accept();
  Duration longest{0};
  for (int i = 1; i <= 4; ++i) {
    INFO("error " << i);
    REQUIRE(p.place().size() == 1);
    p.acknowledge(task);
    p.requeue(task, Cause::kFault);
    CHECK(p.place().empty());
    const Duration until = p.placement.next_release();
    REQUIRE(until != kNever);
    const Duration wait = until - p.now.mono;
    CHECK(wait > longest);
    longest = wait;
    p.pass(wait - from_ms(1));
    CHECK(p.place().empty());
    p.pass(from_ms(1));
  }
  CHECK(p.place().size() == 1);
  CHECK(p.placement.next_release() == kNever);
}

TEST_CASE("placing: a task is held back for at most half of the time that it has left") {
  Placing p;
  p.join(1);
  TaskSpec spec;
  spec.ttl_ms = 1'000;
  Task& task = p.accept(spec);
  p.place();
  p.acknowledge(task);
  p.pass(from_ms(600));
  p.requeue(task, Cause::kFault);
  CHECK(p.placement.next_release() <= p.now.mono + from_ms(200));
  p.pass(from_ms(200));
  CHECK(p.place().size() == 1);
}

TEST_CASE("placing: a task whose attempt is nobody's fault is not held back") {
  const auto cause = GENERATE(Cause::kLoss, Cause::kDrain, Cause::kNobody);
  Placing p;
  Task& task = p.assigned();
  p.requeue(task, cause);
  CHECK(p.place().size() == 1);
}

TEST_CASE("placing: a task is not placed before its time") {
  Placing p;
  p.join(1);
  TaskSpec spec;
  spec.start_in_ms = 5'000;
  p.accept(spec);
  CHECK(p.place().empty());
  CHECK(p.placement.next_release() == p.now.mono + from_ms(5'000));
  p.pass(from_ms(5'000));
  CHECK(p.place().size() == 1);
}
