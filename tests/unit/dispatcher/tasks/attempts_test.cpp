// The life of tasks alone: what a node says of its attempts, and what is believed of it.
#include "tests/unit/dispatcher/tasks/life.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Life;
using genai::dispatcher::test::Names;

using task_event::Aborting;
using task_event::Acknowledged;
using task_event::Assigned;
using task_event::Ended;
using task_event::Progressed;
using task_event::Requeued;
using task_event::SendAbort;
using task_event::SendResultAck;

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
  const auto [node, task, ref] = life.assigned();
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
  const auto [node, task, ref] = life.sent();
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
  const auto [node, task, ref] = life.assigned();
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
  const auto [node, task, ref] = life.sent();
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
  const auto [node, task, ref] = life.sent();
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
  const auto [node, task, ref] = life.sent();
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

TEST_CASE("life: another priority is told and logged, and changes nothing else") {
  Life life;
  Task& task = life.accept("t");
  life.happen(Reprioritise{task, 9});
  CHECK(life.names() == Names{"task reprioritised"});
  CHECK(task.priority() == 9);
  CHECK(task.status == TaskStatus::kUnscheduled);
  CHECK_THAT(std::string(task.log.back().reason), Catch::Contains("9"));
}
