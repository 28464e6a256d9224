// The life of tasks alone: attempts that are used up, and times that are over.
#include "tests/unit/dispatcher/tasks/life.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Life;
using genai::dispatcher::test::Names;

using task_event::Behaved;
using task_event::Ended;
using task_event::Requeued;
using task_event::SendAbort;
using task_event::SendResultAck;

// ---- used-up attempts

TEST_CASE(
    "life: errors are counted until they are used up, by the dispatcher's limit or the task's") {
  Life life;
  life.limits.max_faults = 3;
  TaskSpec spec;
  const std::uint32_t own = GENERATE(0, 2);
  spec.max_attempts = own;
  const std::uint32_t limit = own ? own : 3;
  const SessionId node = life.join(1);
  Task& task = life.accept("t", spec);
  for (std::uint32_t i = 1; i < limit; ++i) {
    life.error(node, life.send(task, node));
    CHECK(life.names() == Names{"session behaved", "task requeued", "send RESULT_ACK"});
    CHECK(life.conduct() == Conduct::kError);
    CHECK(life.only<Requeued>().cause == Cause::kFault);
  }
  life.error(node, life.send(task, node));
  CHECK(life.names() == Names{"session behaved", "task ended", "send RESULT_ACK"});
  CHECK(life.only<Ended>().was == TaskStatus::kSent);
  CHECK(life.only<Ended>().from == node);
  CHECK(life.only<SendResultAck>().code == ErrorCode::kOk);
  CHECK(task.status == TaskStatus::kFailed);
  CHECK(task.code == ErrorCode::kTaskError);
  CHECK_THAT(get_string(task.info, "error"), Catch::Contains("bad weights"));
  CHECK(task.payload.view() == "prompt");  // it can be replayed
}

TEST_CASE("life: an error that would come from any node ends the task at once") {
  const auto code = GENERATE(ErrorCode::kImpossible, ErrorCode::kResultTooLarge);
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  life.error(node, life.send(task, node), code);
  CHECK(life.names() == Names{"session behaved", "task ended", "send RESULT_ACK"});
  CHECK(life.conduct() == Conduct::kImpossible);
  CHECK(task.status == TaskStatus::kFailed);
  CHECK(task.code == code);
}

TEST_CASE("life: a result that could not be read is an error of its attempt") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const std::vector<AssignmentRef> refs{life.send(task, node)};
  const ErrorCode code = GENERATE(ErrorCode::kTooLarge, ErrorCode::kBadField);
  const Error why{code, "RESULT.data: 9 bytes"};
  life.happen(ResultsUnreadable{node, refs, why});
  CHECK(life.only<SendResultAck>().ref == refs[0]);
  if (code == ErrorCode::kTooLarge) {  // it would be so again
    CHECK(task.status == TaskStatus::kFailed);
    CHECK(task.code == ErrorCode::kResultTooLarge);
  } else {
    CHECK(task.status == TaskStatus::kUnscheduled);
    CHECK(life.only<Requeued>().cause == Cause::kFault);
  }
  CHECK_THAT(std::string(task.log.back().reason), Catch::Contains("RESULT.data: 9 bytes"));
}

TEST_CASE("life: losses are counted apart from errors, and have a limit of their own") {
  Life life;
  life.limits.max_losses = 2;
  life.limits.max_faults = 2;
  Task& task = life.accept("t");
  const auto drop = [&](unsigned number) {
    const SessionId node = life.join(number);
    life.send(task, node);
    life.hold(node, {});
  };
  drop(1);
  const SessionId node = life.join(9);
  life.error(node, life.send(task, node));
  CHECK(task.status == TaskStatus::kUnscheduled);
  drop(2);
  CHECK(task.status == TaskStatus::kFailed);
  CHECK(task.code == ErrorCode::kTaskDropped);
}

TEST_CASE("life: each node that leaves with the task is charged once") {
  Life life;
  life.limits.max_drains = 2;
  Task& task = life.accept("t");
  const auto leave = [&](unsigned number) {
    const SessionId node = life.join(number);
    life.send(task, node);
    life.lose(node, Cause::kDrain);
  };
  leave(1);
  CHECK(life.names() == Names{"task requeued", "session ended"});
  CHECK(life.only<Requeued>().cause == Cause::kDrain);
  leave(1);
  CHECK(life.only<Requeued>().cause == Cause::kNobody);
  // What was not acknowledged is not charged either.
  const SessionId node = life.join(2);
  life.assign(task, node);
  life.lose(node, Cause::kDrain);
  CHECK(life.only<Requeued>().cause == Cause::kNobody);
  leave(3);
  CHECK(task.status == TaskStatus::kFailed);
  CHECK(task.code == ErrorCode::kNodeDrained);
}

TEST_CASE("life: a node may give a task back, and say that it can run nothing now") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  SECTION("without a reason it counts as a drain") {
    life.result(node, life.send(task, node), msg::Outcome::kReturned);
    CHECK(life.only<Requeued>().cause == Cause::kDrain);
    CHECK(life.conduct() == Conduct::kRefused);
  }
  SECTION("a node that is unfit is told of with its words, and nobody is blamed") {
    const auto unfit = static_cast<std::uint64_t>(ErrorCode::kNodeUnfit);
    life.result(node, life.send(task, node), msg::Outcome::kReturned,
                {{"code", unfit}, {"error", "no GPU"}});
    CHECK(life.only<Requeued>().cause == Cause::kNobody);
    CHECK(life.conduct() == Conduct::kUnfit);
    CHECK(life.only<Behaved>().said == "no GPU");
  }
  CHECK(task.status == TaskStatus::kUnscheduled);
  CHECK(life.only<SendResultAck>().code == ErrorCode::kOk);
}

// ---- time

TEST_CASE("life: an assignment that nobody answers is taken away when its time is over") {
  Life life;
  const auto [node, task, ref] = life.assigned();
  life.pass(to_ms(life.limits.assign_ack) - 1);
  CHECK(life.lifecycle.next_due(life.now) == nullptr);
  life.pass(1);
  CHECK(life.lifecycle.next_due_at() <= life.now.mono);
  REQUIRE(life.lifecycle.next_due(life.now) == &task);
  life.happen(EndPhase{task});
  CHECK(life.names() ==
        Names{"session aborting", "send ABORT", "task requeued", "session behaved"});
  CHECK(life.only<SendAbort>().ref == ref);
  CHECK(life.only<SendAbort>().code == ErrorCode::kAssignUnanswered);
  CHECK(life.only<Requeued>().from == node);
  CHECK(life.only<Requeued>().cause == Cause::kNobody);
  CHECK(life.conduct() == Conduct::kSlow);
  CHECK(life.lifecycle.next_due(life.now) == nullptr);
}

TEST_CASE("life: a task that runs into its time limit is aborted, and that is a fault of its own") {
  Life life;
  const std::uint64_t own = GENERATE(0, 20'000);
  TaskSpec spec;
  spec.time_limit_ms = own;
  const std::uint64_t limit = own ? own : to_ms(life.limits.time_limit);
  const SessionId node = life.join(1);
  Task& task = life.accept("t", spec);
  life.pass(1'000);
  life.send(task, node);
  life.pass(limit);
  CHECK(life.lifecycle.next_due(life.now) == nullptr);  // its node may say so itself
  life.pass(limit);
  REQUIRE(life.lifecycle.next_due(life.now) == &task);
  life.happen(EndPhase{task});
  CHECK(life.only<SendAbort>().code == ErrorCode::kTimeLimit);
  CHECK(life.only<Requeued>().cause == Cause::kFault);
  CHECK(life.conduct() == Conduct::kSlow);
}

TEST_CASE("life: the clock of a task that waits at its node allows for those before it") {
  Life life;
  TaskSpec spec;
  spec.time_limit_ms = 100'000;
  const SessionId node = life.join(1, 2);
  std::vector<Task*> tasks;
  for (const char* id : {"a", "b", "c"}) {
    tasks.push_back(&life.accept(id, spec));
    life.send(*tasks.back(), node);
  }
  CHECK(tasks[0]->phase_ends == tasks[1]->phase_ends);
  CHECK(tasks[2]->phase_ends == tasks[1]->phase_ends + from_ms(100'000));
}

TEST_CASE("life: a task whose time is over fails, wherever it is") {
  Life life;
  TaskSpec spec;
  spec.ttl_ms = 60'000;
  const SessionId node = life.join(1);
  SECTION("in the queue it says what it has waited for") {
    Task& task = life.accept("t", spec);
    life.pass(60'000);
    REQUIRE(life.lifecycle.next_due(life.now) == &task);
    life.happen(Expire{task, "no provider is connected"});
    CHECK(life.names() == Names{"task ended"});
    CHECK(task.code == ErrorCode::kExpired);
    CHECK_THAT(get_string(task.info, "error"), Catch::Contains("no provider is connected"));
  }
  SECTION("at a node it is aborted") {
    Task& task = life.accept("t", spec);
    life.send(task, node);
    life.happen(Expire{task, ""});
    CHECK(life.only<SendAbort>().code == ErrorCode::kExpired);
    CHECK(life.only<Ended>().was == TaskStatus::kSent);
    CHECK(life.only<Ended>().from == node);
    CHECK(task.status == TaskStatus::kFailed);
  }
  SECTION("a deadline that comes before the ttl is told as a deadline") {
    spec.deadline_in_ms = 30'000;
    Task& task = life.accept("t", spec);
    life.pass(30'000);
    REQUIRE(life.lifecycle.next_due(life.now) == &task);
    life.happen(Expire{task, "busy"});
    CHECK(task.code == ErrorCode::kDeadlineMissed);
  }
}
