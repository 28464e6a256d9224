// The life of tasks alone: what happens to a task, and what is told of it.
#include "tests/unit/dispatcher/tasks/life.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Life;
using genai::dispatcher::test::Names;
using genai::dispatcher::test::session_id;

using task_event::Aborting;
using task_event::Acknowledged;
using task_event::Assigned;
using task_event::Behaved;
using task_event::Ended;
using task_event::Progressed;
using task_event::Requeued;
using task_event::SendAbort;
using task_event::SendAssign;
using task_event::SendKeep;
using task_event::SendResultAck;
using task_event::SessionEnded;

// ---- a life that goes well

TEST_CASE("life: from acceptance to result each step tells what others need") {
  Life life;
  const SessionId node = life.join(1);
  CHECK(life.told.empty());

  TaskSpec spec;
  spec.label = "cat";
  Task& task = life.accept("t", spec);
  const auto& accepted = life.only<task_event::Accepted>();
  CHECK(accepted.task == &task);
  CHECK(accepted.spec->label == "cat");
  CHECK(task.status == TaskStatus::kUnscheduled);

  const AssignmentRef ref = life.assign(task, node);
  CHECK(life.names() == Names{"task assigned", "send ASSIGN"});
  CHECK(life.only<Assigned>().session == node);
  CHECK(ref == AssignmentRef{task.id, 1, Life::kEpoch});

  life.acknowledge(node, ref);
  CHECK(life.names() == Names{"task acknowledged"});
  CHECK(life.only<Acknowledged>().session == node);
  CHECK(!life.only<Acknowledged>().kept);
  CHECK(!life.only<Acknowledged>().was_recovering);

  life.progress(node, ref, 0.5);
  CHECK(life.only<Progressed>().task == &task);
  CHECK(life.only<Progressed>().fraction == 0.5);

  life.result(node, ref, msg::Outcome::kOk, {{"load_ms", 120u}, {"run_ms", 900u}});
  CHECK(life.names() == Names{"task ended", "send RESULT_ACK"});
  const auto& ended = life.only<Ended>();
  CHECK(ended.task == &task);
  CHECK(ended.was == TaskStatus::kSent);
  CHECK(ended.from == node);
  CHECK(ended.by == node);
  CHECK(!ended.is_late);
  CHECK(!ended.was_recovering);
  CHECK(ended.load_ms == 120);
  CHECK(life.only<SendResultAck>().session == node);
  CHECK(life.only<SendResultAck>().ref == ref);
  CHECK(life.only<SendResultAck>().code == ErrorCode::kOk);
  CHECK(task.status == TaskStatus::kCompleted);
  CHECK(task.result.view() == "picture");
}

TEST_CASE(
    "life: a result that comes before the acknowledgement counts, and so does its repetition") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.assign(task, node);
  life.result(node, ref);
  CHECK(life.only<Ended>().was == TaskStatus::kScheduled);
  CHECK(!life.only<Ended>().is_late);
  CHECK(task.status == TaskStatus::kCompleted);
  life.result(node, ref);  // the acknowledgement was lost
  CHECK(life.names() == Names{"send RESULT_ACK"});
  CHECK(life.only<SendResultAck>().code == ErrorCode::kResultDiscarded);
  life.acknowledge(node, ref);  // it had been overtaken
  CHECK(life.names().empty());
}

TEST_CASE("life: progress is told of a task that its node has taken, and of no other") {
  Life life;
  const SessionId node = life.join(1), other = life.join(2);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.assign(task, node);
  life.progress(node, ref, 0.1);
  CHECK(life.told.empty());
  life.acknowledge(node, ref);
  life.progress(other, ref, 0.2);
  CHECK(life.told.empty());
  life.progress(node, {task.id, 2, Life::kEpoch}, 0.3);
  CHECK(life.told.empty());
  life.progress(node, ref, 0.4);
  CHECK(life.only<Progressed>().fraction == 0.4);
}

TEST_CASE(
    "life: keys of a result's info that have wrong types are dropped, and the result counts") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
  life.result(node, ref, msg::Outcome::kOk, {{"run_ms", "long"}, {"seed", 42u}});
  CHECK(life.only<Malformed>().who == "node-1");
  CHECK(life.only<Malformed>().error.code == ErrorCode::kBadField);
  CHECK(task.status == TaskStatus::kCompleted);
  CHECK(!task.info.contains("run_ms"));
  CHECK(get_uint(task.info, "seed") == 42);
}

// ---- refusals

TEST_CASE("life: a refusal puts the task back, blames nobody and tells how the node behaved") {
  struct Refusal {
    ErrorCode code;
    Conduct conduct;
    bool elsewhere;  // other nodes are preferred from now on
  };
  const auto refusal = GENERATE(Refusal{ErrorCode::kNodeFull, Conduct::kFull, false},
                                Refusal{ErrorCode::kNodeLeaving, Conduct::kLeaving, true},
                                Refusal{ErrorCode::kModelMissing, Conduct::kRefused, true});
  INFO(name(refusal.code));
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.assign(task, node);
  life.acknowledge(node, ref, refusal.code);
  CHECK(life.names() == Names{"task requeued", "session behaved"});
  CHECK(life.only<Requeued>().from == node);
  CHECK(life.only<Requeued>().cause == Cause::kNobody);
  CHECK(life.conduct() == refusal.conduct);
  CHECK(task.status == TaskStatus::kUnscheduled);
  CHECK(task.failed_on(*NodeId::parse("node-1")) == refusal.elsewhere);
  CHECK(task.faults + task.losses + task.drains == 0);
  CHECK(life.assign(task, node).attempt == 2);
}

TEST_CASE("life: who has taken a task cannot refuse it any more") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
  life.acknowledge(node, ref, ErrorCode::kNodeFull);
  CHECK(life.told.empty());
  CHECK(task.status == TaskStatus::kSent);
}

TEST_CASE("life: what a broker cannot hand on is put back, but not what the node has taken") {
  Life life;
  const SessionId node = life.join(1, 2);
  Task &taken = life.accept("taken"), &sent = life.accept("sent");
  life.send(taken, node);
  const AssignmentRef ref = life.assign(sent, node);
  life.happen(SessionUnreached{node, ErrorCode::kPeerFull});
  CHECK(life.only<Requeued>().task == &sent);
  CHECK(life.only<Requeued>().cause == Cause::kNobody);
  CHECK(life.conduct() == Conduct::kRefused);
  CHECK(life.only<SendAbort>().ref == ref);  // it may have reached the node after all
  CHECK(taken.status == TaskStatus::kSent);
  life.happen(SessionUnreached{node, ErrorCode::kPeerFull});
  CHECK(life.told.empty());
}

// ---- who is believed

TEST_CASE("life: nothing is believed of an attempt that was issued to another session") {
  Life life;
  const SessionId node = life.join(1), liar = life.join(2);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.assign(task, node);
  const auto status = [&] { return task.status; };

  life.acknowledge(liar, ref);
  CHECK(life.names() == Names{"send ABORT"});  // it should let go of it
  CHECK(life.only<SendAbort>().session == liar);
  CHECK(life.only<SendAbort>().code == ErrorCode::kUnknownTask);
  CHECK(status() == TaskStatus::kScheduled);
  life.acknowledge(liar, ref, ErrorCode::kNodeFull);
  CHECK(life.told.empty());

  life.acknowledge(node, ref);
  life.result(liar, ref);
  CHECK(life.names() == Names{"send RESULT_ACK"});
  CHECK(life.only<SendResultAck>().code == ErrorCode::kResultDiscarded);
  life.error(liar, ref);
  CHECK(life.names() == Names{"send RESULT_ACK"});
  life.happen(AskBack{task});
  life.abort_ack(liar, ref);
  CHECK(life.told.empty());
  life.hold(liar, {});
  CHECK(life.told.empty());
  CHECK(status() == TaskStatus::kSent);
}

TEST_CASE("life: an attempt is its number and its epoch") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
  for (const AssignmentRef& wrong : {AssignmentRef{task.id, ref.attempt + 1, ref.epoch},
                                     AssignmentRef{task.id, ref.attempt, ref.epoch - 1}}) {
    life.result(node, wrong);
    CHECK(life.names() == Names{"send RESULT_ACK"});
    CHECK(life.only<SendResultAck>().code == ErrorCode::kResultDiscarded);
  }
  life.result(node, {*TaskId::parse("nobody"), 1, Life::kEpoch});
  CHECK(life.only<SendResultAck>().code == ErrorCode::kUnknownTask);
  CHECK(task.status == TaskStatus::kSent);
}

// ---- late results

TEST_CASE("life: the late result of an older attempt counts, and the newer one is aborted") {
  Life life;
  const SessionId slow = life.join(1), quick = life.join(2);
  Task& task = life.accept("t");
  const AssignmentRef older = life.assign(task, slow);
  life.happen(EndPhase{task});
  const AssignmentRef newer = life.send(task, quick);

  life.result(slow, older);
  const auto& ended = life.only<Ended>();
  CHECK(ended.was == TaskStatus::kSent);
  CHECK(ended.from == quick);
  CHECK(ended.by == slow);
  CHECK(ended.is_late);
  CHECK(life.only<SendAbort>().session == quick);
  CHECK(life.only<SendAbort>().ref == newer);
  CHECK(life.only<SendAbort>().code == ErrorCode::kResultDiscarded);
  CHECK(life.only<SendResultAck>().session == slow);
  CHECK(life.only<SendResultAck>().code == ErrorCode::kOk);

  life.result(quick, newer);  // it crossed with the abort
  CHECK(life.names() == Names{"session aborting", "send RESULT_ACK"});
  CHECK(life.only<Aborting>().attempts == 0);
  CHECK(life.only<SendResultAck>().code == ErrorCode::kResultDiscarded);
}

TEST_CASE("life: a late result counts while the task waits") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
  life.happen(EndPhase{task});
  CHECK(task.status == TaskStatus::kUnscheduled);
  life.result(node, ref);
  const auto& ended = life.only<Ended>();
  CHECK(ended.was == TaskStatus::kUnscheduled);
  CHECK(ended.from == SessionId{});
  CHECK(ended.by == node);
  CHECK(ended.is_late);
  CHECK(task.status == TaskStatus::kCompleted);
}

TEST_CASE("life: a late error of an older attempt changes nothing") {
  Life life;
  const SessionId slow = life.join(1), quick = life.join(2);
  Task& task = life.accept("t");
  const AssignmentRef older = life.assign(task, slow);
  life.happen(EndPhase{task});
  life.send(task, quick);
  life.error(slow, older);
  CHECK(life.all<Requeued>().empty());
  CHECK(life.all<Ended>().empty());
  CHECK(life.only<SendResultAck>().code == ErrorCode::kResultDiscarded);
  CHECK(task.status == TaskStatus::kSent);
  CHECK(task.faults == 0);
}

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
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.assign(task, node);
  life.hold(node, {ref});
  CHECK(life.names() == Names{"task acknowledged"});
  life.hold(node, {ref});
  CHECK(life.told.empty());
}

TEST_CASE("life: a node that comes back with a task that still waits keeps it") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
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

// ---- cancel

TEST_CASE("life: a cancel that comes first wins, whatever the node still says") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
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
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
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
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
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
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.send(task, node);
  life.abort_ack(node, ref);
  CHECK(life.told.empty());
  CHECK(task.status == TaskStatus::kSent);
}

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
  CHECK(life.only<Ended>().from == session_id(3));
}

// ---- time

TEST_CASE("life: an assignment that nobody answers is taken away when its time is over") {
  Life life;
  const SessionId node = life.join(1);
  Task& task = life.accept("t");
  const AssignmentRef ref = life.assign(task, node);
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

TEST_CASE("life: another priority is told and logged, and changes nothing else") {
  Life life;
  Task& task = life.accept("t");
  life.happen(Reprioritise{task, 9});
  CHECK(life.names() == Names{"task reprioritised"});
  CHECK(task.priority() == 9);
  CHECK(task.status == TaskStatus::kUnscheduled);
  CHECK_THAT(std::string(task.log.back().reason), Catch::Contains("9"));
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
