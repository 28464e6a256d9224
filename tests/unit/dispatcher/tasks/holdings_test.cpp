// The life of tasks alone: what nodes hold, keep, lose, and still have after a restart.
#include "tests/unit/dispatcher/tasks/life.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Life;
using genai::dispatcher::test::Names;
using genai::dispatcher::test::session;

using task_event::Aborting;
using task_event::Acknowledged;
using task_event::Behaved;
using task_event::Ended;
using task_event::Requeued;
using task_event::SendAbort;
using task_event::SendAssign;
using task_event::SendKeep;
using task_event::SessionEnded;

// ---- what a node holds

TEST_CASE("life: what a node had taken and does not list any more is a loss") {
  Life life;
  const SessionId node = life.join(1, 3);
  Task &kept = life.accept("kept"), &dropped = life.accept("dropped"), &sent = life.accept("sent");
  const AssignmentRef of_kept = life.send(kept, node);
  life.send(dropped, node);
  life.assign(sent, node);  // its ASSIGN may still be on the way
  life.hold(node, {of_kept}, false);
  CHECK(life.told.empty());  // the list is not all that it has
  life.hold(node, {of_kept});
  CHECK(life.names() == Names{"task requeued", "session behaved"});
  CHECK(life.only<Requeued>().task == &dropped);
  CHECK(life.only<Requeued>().from == node);
  CHECK(life.only<Requeued>().cause == Cause::kLoss);
  CHECK(life.conduct() == Conduct::kDropped);
  CHECK(kept.status == TaskStatus::kSent);
  CHECK(sent.status == TaskStatus::kScheduled);
}

TEST_CASE("life: a list that has an assignment in it acknowledges the assignment") {
  Life life;
  const auto [node, task, ref] = life.assigned();
  life.hold(node, {ref});
  CHECK(life.names() == Names{"task acknowledged"});
  life.hold(node, {ref});
  CHECK(life.told.empty());
}

TEST_CASE("life: a node that comes back with a task that still waits keeps it") {
  Life life;
  const auto [node, task, ref] = life.sent();
  life.lose(node);
  CHECK(task.status == TaskStatus::kUnscheduled);
  life.join(1);
  life.hold(node, {ref});
  CHECK(life.names() == Names{"task acknowledged", "send KEEP"});
  CHECK(life.only<Acknowledged>().session == node);
  CHECK(life.only<Acknowledged>().kept);
  CHECK(!life.only<Acknowledged>().was_recovering);
  CHECK(life.only<SendKeep>().ref == ref);
  CHECK(task.status == TaskStatus::kSent);
  life.result(node, ref);
  CHECK(!life.only<Ended>().is_late);
}

TEST_CASE("life: a node that comes back with a task that another one has is told to abort it") {
  Life life;
  const SessionId node = life.join(1), other = life.join(2);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
  life.lose(node);
  life.send(task, other);
  life.join(1);
  life.hold(node, {ref});
  CHECK(life.names() == Names{"session aborting", "send ABORT"});
  CHECK(life.only<Aborting>().attempts == 1);
  CHECK(life.only<SendAbort>().ref == ref);
  CHECK(life.only<SendAbort>().code == ErrorCode::kProviderLost);
  life.hold(node, {ref});  // the ABORT is on its way
  CHECK(life.told.empty());
  life.hold(node, {});
  CHECK(life.names() == Names{"session aborting"});
  CHECK(life.only<Aborting>().attempts == 0);
}

TEST_CASE("life: an assignment that crossed with a reconnect is sent again") {
  Life life;
  const SessionId node = life.join(1, 2);
  Task &taken = life.accept("taken"), &sent = life.accept("sent");
  life.send(taken, node);
  const AssignmentRef ref = life.assign(sent, node);
  life.join(1, 2);
  CHECK(life.names() == Names{"send ASSIGN"});
  CHECK(life.only<SendAssign>().ref == ref);
}

// ---- nodes that are lost

TEST_CASE("life: of the tasks of a lost node only those that it executed are blamed") {
  Life life;
  const SessionId node = life.join(1, 1);
  Task &first = life.accept("first"), &waits = life.accept("waits");
  life.send(first, node);
  life.send(waits, node);  // prefetched
  life.lose(node);
  const auto requeued = life.all<Requeued>();
  REQUIRE(requeued.size() == 2);
  CHECK(requeued[0]->task == &first);
  CHECK(requeued[0]->cause == Cause::kLoss);
  CHECK(requeued[1]->task == &waits);
  CHECK(requeued[1]->cause == Cause::kNobody);
  CHECK(life.conduct() == Conduct::kCrashed);
  CHECK(life.only<Behaved>().task == &first);
  const auto& ended = life.only<SessionEnded>();
  CHECK(ended.session == node);
  CHECK(ended.had == 2);
  CHECK(ended.cause == Cause::kLoss);
  CHECK(ended.is_crash);
  CHECK(life.names().back() == "session ended");
  CHECK(life.lifecycle.assignments().size() == 0);
}

TEST_CASE("life: a task for which several nodes were lost is quarantined") {
  Life life;
  life.limits.max_crashes = 3;
  Task& task = life.accept("t");
  for (unsigned number = 1; number <= 3; ++number) {
    CHECK(task.status == TaskStatus::kUnscheduled);
    const SessionId node = life.join(number);
    life.send(task, node);
    life.pass(60'000);
    life.lose(node);
  }
  CHECK(task.status == TaskStatus::kFailed);
  CHECK(task.code == ErrorCode::kQuarantined);
  CHECK(life.only<Ended>().was == TaskStatus::kSent);
  CHECK(life.only<Ended>().from == session(3));
}

// ---- after a restart

TEST_CASE("life: the node of a task from before a restart keeps it") {
  Life life;
  Task& task = life.restore("t", 1, 3);
  CHECK(life.told.empty());
  CHECK(task.recovering);
  const AssignmentRef ref{task.id, 1, 3};
  const SessionId node = life.join(1);
  SECTION("when it lists it") {
    life.hold(node, {ref});
    CHECK(life.names() == Names{"task acknowledged", "send KEEP"});
    CHECK(life.only<Acknowledged>().kept);
    CHECK(life.only<Acknowledged>().was_recovering);
    CHECK(!task.recovering);
  }
  SECTION("when its result is the first that is heard of it") {
    life.result(node, ref);
    CHECK(life.names() == Names{"task acknowledged", "task ended", "send RESULT_ACK"});
    CHECK(life.only<Acknowledged>().was_recovering);
    CHECK(life.only<Ended>().was == TaskStatus::kSent);
    CHECK(!life.only<Ended>().was_recovering);
    CHECK(!life.only<Ended>().is_late);
    CHECK(task.status == TaskStatus::kCompleted);
  }
  SECTION("but not another node") {
    const SessionId liar = life.join(2);
    life.hold(liar, {ref});
    CHECK(life.names() == Names{"send ABORT"});
    CHECK(task.recovering);
  }
}

TEST_CASE("life: a task from before a restart can be cancelled while its node has not reported") {
  Life life;
  Task& task = life.restore("t", 1, 3);
  life.happen(Cancel{task});
  CHECK(life.names() == Names{"task ended"});
  CHECK(life.only<Ended>().was == TaskStatus::kUnscheduled);
  CHECK(life.only<Ended>().was_recovering);
  CHECK(life.only<Ended>().from == SessionId{});
  const SessionId node = life.join(1);
  life.hold(node, {{task.id, 1, 3}});
  CHECK(life.only<SendAbort>().code == ErrorCode::kCancelled);
}

TEST_CASE("life: nobody is blamed for a task that nobody has reported after a restart") {
  Life life;
  Task& task = life.restore("t", 1, 3);
  life.lifecycle.give_up({&task}, life.now);
  life.look();
  CHECK(life.names() == Names{"task requeued"});
  CHECK(life.only<Requeued>().from == SessionId{});
  CHECK(life.only<Requeued>().cause == Cause::kNobody);
  CHECK(!task.recovering);
  const SessionId node = life.join(2);
  const AssignmentRef ref = life.assign(task, node);
  CHECK(ref == AssignmentRef{task.id, 2, Life::kEpoch});
  life.result(life.join(1), {task.id, 1, 3});  // late, but the first
  CHECK(life.only<Ended>().is_late);
  CHECK(task.status == TaskStatus::kCompleted);
}

TEST_CASE("life: attempts are issued under the epoch of now") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef older = life.assign(task, node);
  life.lifecycle.raise_epoch(11);
  life.happen(EndPhase{task});
  CHECK(life.only<SendAbort>().ref == older);
  CHECK(life.assign(task, node) == AssignmentRef{task.id, 2, 11});
}
