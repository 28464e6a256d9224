// The life of tasks alone: attempts that are cancelled or asked back.
#include "tests/unit/dispatcher/tasks/life.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Life;
using genai::dispatcher::test::Names;

using task_event::Aborting;
using task_event::Ended;
using task_event::Requeued;
using task_event::SendAbort;
using task_event::SendResultAck;

// ---- cancel

TEST_CASE("life: a cancel that comes first wins, whatever the node still says") {
  Life life;
  const auto [node, task, ref] = life.sent();
  life.happen(Cancel{task});
  CHECK(life.names() == Names{"session aborting", "send ABORT", "task ended"});
  CHECK(life.only<Aborting>().attempts == 1);
  CHECK(life.only<SendAbort>().code == ErrorCode::kCancelled);
  CHECK(!life.only<SendAbort>().again);
  CHECK(life.only<Ended>().was == TaskStatus::kSent);
  CHECK(life.only<Ended>().from == node);
  CHECK(life.only<Ended>().by == SessionId{});
  CHECK(task.status == TaskStatus::kAborted);
  CHECK(task.code == ErrorCode::kCancelled);
  life.result(node, ref);
  CHECK(life.all<Ended>().empty());
  CHECK(life.only<Aborting>().attempts == 0);  // it is over there
  CHECK(life.only<SendResultAck>().code == ErrorCode::kResultDiscarded);
  CHECK(task.status == TaskStatus::kAborted);
  CHECK(task.result.empty());
}

TEST_CASE("life: a cancel of a task that waits needs no node") {
  Life life;
  Task& task = life.accept("t");
  life.happen(Cancel{task});
  CHECK(life.names() == Names{"task ended"});
  CHECK(life.only<Ended>().was == TaskStatus::kUnscheduled);
  CHECK(life.only<Ended>().from == SessionId{});
}

TEST_CASE("life: an abort is repeated until its node has answered") {
  Life life;
  const auto [node, task, ref] = life.sent();
  CHECK(life.lifecycle.next_deadline() == kNever);
  life.happen(Cancel{task});
  for (int i = 0; i < 3; ++i) {
    const Duration due = life.lifecycle.next_deadline();
    REQUIRE(due > life.now.mono);
    life.now.mono = due - from_ms(1);
    life.lifecycle.expire(life.now);
    life.look();
    CHECK(life.told.empty());
    life.now.mono = due;
    life.lifecycle.expire(life.now);
    life.look();
    CHECK(life.only<SendAbort>().ref == ref);
    CHECK(life.only<SendAbort>().again);
    CHECK(life.only<SendAbort>().code == ErrorCode::kCancelled);
  }
  life.abort_ack(node, ref);
  CHECK(life.names() == Names{"session aborting"});
  CHECK(life.only<Aborting>().attempts == 0);
  life.pass(3'600'000);
  life.lifecycle.expire(life.now);
  life.look();
  CHECK(life.told.empty());
}

// ---- asked back

TEST_CASE("life: a task that is asked back ends its attempt only if its node has not begun it") {
  Life life;
  const auto [node, task, ref] = life.sent();
  life.happen(AskBack{task});
  CHECK(life.names() == Names{"send ABORT"});
  CHECK(life.only<SendAbort>().code == ErrorCode::kTakenBack);
  CHECK(task.status == TaskStatus::kSent);
  SECTION("it has begun") {
    life.abort_ack(node, ref, msg::AbortOutcome::kStarted);
    CHECK(life.told.empty());
    life.result(node, ref);
    CHECK(task.status == TaskStatus::kCompleted);
  }
  SECTION("it has not") {
    life.abort_ack(node, ref);
    CHECK(life.names() == Names{"task requeued"});
    CHECK(life.only<Requeued>().from == node);
    CHECK(life.only<Requeued>().cause == Cause::kNobody);
  }
  SECTION("it has finished meanwhile") {
    life.abort_ack(node, ref, msg::AbortOutcome::kFinished);
    CHECK(life.told.empty());
    CHECK(task.status == TaskStatus::kSent);
  }
}

TEST_CASE("life: nobody can give a task back with an answer to an abort that nobody sent") {
  Life life;
  const auto [node, task, ref] = life.sent();
  life.abort_ack(node, ref);
  CHECK(life.told.empty());
  CHECK(task.status == TaskStatus::kSent);
}
