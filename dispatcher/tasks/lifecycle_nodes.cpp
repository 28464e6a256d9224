// What sessions of nodes do with their tasks: they join, report, and are lost.
#include <fmt/format.h>

#include <algorithm>

#include "dispatcher/tasks/lifecycle.h"
#include "dispatcher/tasks/result_info.h"
#include "protocol/base/bundle.h"
#include "protocol/base/check.h"
#include "protocol/base/planted.h"
#include "protocol/base/text.h"

namespace genai::dispatcher {
namespace {

using namespace task_event;

// The attempt a ref names, if it was issued to this session, by this dispatcher or an earlier one.
IssuedAttempt* issued_to(Task* task, const AssignmentRef& ref, const Assignee& assignee) {
  if (!task) return nullptr;
  IssuedAttempt* attempt = task->attempt(ref.attempt);
  const bool is_his =
      GENAI_PLANTED(kTrustAnySession) || (attempt && attempt->session == assignee.session);
  const bool is_it = attempt && attempt->epoch == ref.epoch && is_his;
  return is_it ? attempt : nullptr;
}

/// What an error result gives as its cause.
ErrorCode fault_code(const ValueMap& info) {
  for (const ErrorCode code :
       {ErrorCode::kTimeLimit, ErrorCode::kResultTooLarge, ErrorCode::kImpossible})
    if (get_uint(info, "code") == static_cast<std::uint64_t>(code)) return code;
  return ErrorCode::kTaskError;
}

/// Another attempt would end in the same way.
bool is_permanent(ErrorCode code) {
  return code == ErrorCode::kResultTooLarge || code == ErrorCode::kImpossible;
}

}  // namespace

// ---- sessions

/// Assignments that crossed with a reconnect are sent again: the node knows each by its ref, so it
/// runs none twice.
void Lifecycle::handle(const SessionJoined& event, const Now& now) {
  Assignee* assignee = assignments_.find(event.session);
  if (!assignee) assignee = &assignments_.open(event.session);
  assignee->node_id = event.node_id;
  assignee->slots = event.slots;
  for (Task* task : assignee->tasks) {
    if (task->status != TaskStatus::kScheduled) continue;
    tell(SendAssign{assignee->session, task, ref_of(*task)});
    wait_on(*task, now);
  }
}

void Lifecycle::handle(const SessionHolds& event, const Now& now) {
  Assignee& assignee = *assignments_.find(event.session);
  for (const AssignmentRef& ref : event.held) claim(assignee, ref, now);
  if (event.is_all) drop_unheld(assignee, event.held, now);
}

void Lifecycle::handle(const SessionUnreached& event, const Now& now) {
  Assignee& assignee = *assignments_.find(event.session);
  std::vector<Task*> unsent;
  for (Task* task : assignee.tasks)
    if (task->status == TaskStatus::kScheduled) unsent.push_back(task);
  for (Task* task : unsent) {
    abort_current(*task, event.code, now);
    requeue(*task, Cause::kNobody, event.code, "the broker could not hand it to the node", now);
  }
  if (!unsent.empty()) behaved(assignee, Conduct::kRefused);
}

/// The node is lost, or has left: what it had is requeued. Only a task that was being executed is
/// blamed (Blame).
void Lifecycle::handle(const SessionLost& event, const Now& now) {
  Assignee& assignee = *assignments_.find(event.session);
  // Asked before the list changes.
  std::vector<std::pair<Task*, bool>> had;
  for (Task* task : assignee.tasks) had.emplace_back(task, assignee.is_executing(*task));
  Blame::Verdict verdict;
  if (event.cause == Cause::kLoss)
    verdict = blame_.judge(assignee, event.fleet, event.failures, now);
  for (auto& [task, executing] : had) {
    if (GENAI_PLANTED(kForgetRequeue) && executing) continue;
    const bool blamed = executing && event.cause == Cause::kLoss;
    if (blamed) task->attempt(task->current)->failed = true;
    if (blamed && verdict.is_crash) behaved(assignee, Conduct::kCrashed, task);
    if (task == verdict.culprit)
      quarantine(*task, now);
    else if (event.cause == Cause::kDrain)
      take_back(*task, event.code, "node " + event.reason, now);
    else
      requeue(*task, executing ? event.cause : Cause::kNobody, event.code,
              "node lost: " + event.reason, now);
  }
  tell(SessionEnded{event.session, had.size(), event.cause, verdict.is_crash});
  assignments_.close(event.session);
}

// ---- acknowledgements and claims

void Lifecycle::handle(const FromSession<msg::AssignAck>& event, const Now& now) {
  Assignee& assignee = *assignments_.find(event.session);
  for (const auto& entry : event.message.entries) {
    if (entry.code == ErrorCode::kOk) {
      claim(assignee, entry.ref, now);
      continue;
    }
    Task* task = tasks_.find(entry.ref.task_id);
    IssuedAttempt* attempt = issued_to(task, entry.ref, assignee);
    if (!attempt) continue;
    if (task->status == TaskStatus::kScheduled && task->current == entry.ref.attempt) {
      refuse(*task, assignee, entry, now);
      continue;
    }
    attempt->open = false;
    if (assignee.aborts.erase(entry.ref)) tell_aborting(assignee);
  }
}

void Lifecycle::refuse(Task& task, Assignee& assignee, const msg::AssignAck::Entry& entry,
                       const Now& now) {
  IssuedAttempt& attempt = *task.attempt(task.current);
  attempt.open = false;
  attempt.failed = entry.code != ErrorCode::kNodeFull;  // it may have room the next time
  requeue(task, Cause::kNobody, entry.code, fmt::format("the node refused: {}", name(entry.code)),
          now, entry.detail);
  behaved(assignee, entry.code == ErrorCode::kNodeLeaving ? Conduct::kLeaving
                    : entry.code == ErrorCode::kNodeFull  ? Conduct::kFull
                                                          : Conduct::kRefused);
}

/// The node says it holds this: an acknowledgement, a claim to what was requeued meanwhile, or
/// something it should let go.
void Lifecycle::claim(Assignee& assignee, const AssignmentRef& ref, const Now& now) {
  if (assignee.aborts.contains(ref)) return;  // its ABORT is on the way, and repeated
  Task* task = tasks_.find(ref.task_id);
  IssuedAttempt* attempt = issued_to(task, ref, assignee);
  if (!attempt) return tell(SendAbort{assignee.session, ref, ErrorCode::kUnknownTask, false});
  if (task->is_assigned() && task->current == ref.attempt) {
    if (task->status == TaskStatus::kScheduled) acknowledge(*task, assignee, now);
    return;
  }
  if (!attempt->open) return;  // its end is known: an acknowledgement of ours is on the way
  if (task->status == TaskStatus::kUnscheduled) {
    keep(*task, assignee, *attempt, now);
    return tell(SendKeep{assignee.session, ref});
  }
  const bool won = task->status == TaskStatus::kCompleted;  // by another attempt
  const ErrorCode ended = won ? ErrorCode::kResultDiscarded : task->code;
  abort_attempt(assignee, ref, is_terminal(task->status) ? ended : ErrorCode::kProviderLost, now);
}

/// A held list is complete and arrives in order: what was acknowledged but is not in it is gone.
void Lifecycle::drop_unheld(Assignee& assignee, const std::vector<AssignmentRef>& held,
                            const Now& now) {
  if (assignee.tasks.empty() && assignee.aborts.empty()) return;
  const auto before = [](const AssignmentRef* a, const AssignmentRef* b) { return *a < *b; };
  std::vector<const AssignmentRef*> present;
  present.reserve(held.size());
  for (const AssignmentRef& ref : held) present.push_back(&ref);
  std::ranges::sort(present, before);
  const auto is_held = [&](const AssignmentRef& ref) {
    return std::ranges::binary_search(present, &ref, before);
  };
  if (std::erase_if(assignee.aborts, [&](const auto& abort) { return !is_held(abort.first); }))
    tell_aborting(assignee);
  std::vector<Task*> dropped;
  for (Task* task : assignee.tasks)
    if (task->status == TaskStatus::kSent && !is_held(ref_of(*task))) dropped.push_back(task);
  for (Task* task : dropped) {
    IssuedAttempt& attempt = *task->attempt(task->current);
    attempt.open = false;
    attempt.failed = true;
    requeue(*task, Cause::kLoss, ErrorCode::kTaskDropped,
            "the node took it and does not hold it any more", now);
    behaved(assignee, Conduct::kDropped);
  }
}

void Lifecycle::handle(const FromSession<msg::Progress>& event, const Now&) {
  const Assignee& assignee = *assignments_.find(event.session);
  for (const auto& entry : event.message.entries) {
    Task* task = tasks_.find(entry.ref.task_id);
    if (!issued_to(task, entry.ref, assignee)) continue;
    if (task->status != TaskStatus::kSent || task->current != entry.ref.attempt) continue;
    tell(Progressed{task, entry.fraction, entry.text});
  }
}

void Lifecycle::handle(const FromSession<msg::AbortAck>& event, const Now& now) {
  Assignee& assignee = *assignments_.find(event.session);
  for (const auto& entry : event.message.entries) {
    if (entry.outcome == msg::AbortOutcome::kStarted) continue;  // asked back too late: it goes on
    if (assignee.aborts.erase(entry.ref)) tell_aborting(assignee);
    Task* task = tasks_.find(entry.ref.task_id);
    IssuedAttempt* attempt = issued_to(task, entry.ref, assignee);
    if (!attempt) continue;
    if (!task->is_assigned() || task->current != entry.ref.attempt) {
      attempt->open = false;
      continue;
    }
    if (!task->asked_back || entry.outcome != msg::AbortOutcome::kStopped) continue;
    attempt->open = false;
    requeue(*task, Cause::kNobody, ErrorCode::kTakenBack,
            "taken back before it began: another node can begin sooner", now);
  }
}

// ---- results

void Lifecycle::handle(const FromSession<msg::Result>& event, const Now& now) {
  Assignee& assignee = *assignments_.find(event.session);
  const bool alone = event.message.entries.size() == 1;
  for (auto& entry : event.message.entries) {
    // A small result must not keep in memory what came with it: the node's batch, or the broker's,
    // where only what is larger than a batch travels alone.
    if (!alone || entry.data.size() < limits::kBatchTargetBytes) entry.data = entry.data.detached();
    if (const std::string dropped = drop_mistyped(entry.info); !dropped.empty())
      tell(Malformed{"keys of a result's info with wrong types were dropped",
                     "node_id",
                     assignee.node_id.str(),
                     {ErrorCode::kBadField, dropped}});
    const ErrorCode code = take_result(assignee, entry, now);
    if (code != ErrorCode::kOk) ++discarded_results_total_;
    tell(SendResultAck{assignee.session, entry.ref, code});
  }
}

ErrorCode Lifecycle::take_result(Assignee& assignee, msg::Result::Entry& entry, const Now& now) {
  Task* task = tasks_.find(entry.ref.task_id);
  IssuedAttempt* attempt = issued_to(task, entry.ref, assignee);
  if (assignee.aborts.erase(entry.ref)) tell_aborting(assignee);
  if (!attempt) return task ? ErrorCode::kResultDiscarded : ErrorCode::kUnknownTask;
  // The node need not have been heard since a restart to have finished.
  if (task->recovering && task->current == entry.ref.attempt) keep(*task, assignee, *attempt, now);
  attempt->open = false;
  if (is_terminal(task->status) && !GENAI_PLANTED(kResultAfterEnd))
    return ErrorCode::kResultDiscarded;

  if (entry.outcome == msg::Outcome::kOk) {
    complete(*task, *attempt, entry, now);
    return ErrorCode::kOk;
  }
  if (!task->is_assigned() || task->current != entry.ref.attempt)
    return ErrorCode::kResultDiscarded;  // the end of an attempt that no longer counts
  if (entry.outcome == msg::Outcome::kReturned)
    take_returned(*task, assignee, entry.info, now);
  else
    take_error(*task, assignee, std::move(entry.info), now);
  return ErrorCode::kOk;
}

/// The first valid result counts, whichever attempt it is of; a newer attempt elsewhere is aborted.
void Lifecycle::complete(Task& task, IssuedAttempt& attempt, msg::Result::Entry& entry,
                         const Now& now) {
  const bool late = !task.is_assigned() || task.current != attempt.number;
  if (late) {
    ++late_results_total_;
    abort_current(task, ErrorCode::kResultDiscarded, now);
  }
  const std::uint64_t load_ms = get_uint(entry.info, "load_ms");
  task.info = std::move(entry.info);
  bound_info(task.info);
  task.result = Data(std::move(entry.data));
  finish(task, Step::kComplete, ErrorCode::kOk,
         late ? fmt::format("late result of attempt {}", attempt.number) : "result", now, &attempt,
         {}, load_ms);
}

/// The present attempt ended with an error.
void Lifecycle::take_error(Task& task, Assignee& assignee, ValueMap info, const Now& now) {
  const ErrorCode code = fault_code(info);
  IssuedAttempt& attempt = *task.attempt(task.current);
  attempt.failed = true;
  info.erase("code");  // a task's own code says it, and may be another one in the end
  info.erase(std::string(kFilesKey));  // of data that is not there
  task.info = std::move(info);
  bound_info(task.info);
  const std::string said = get_string(task.info, "error", "an error");
  if (is_permanent(code)) {  // and the node has only told the truth
    behaved(assignee, Conduct::kImpossible, &task);
    ++task.faults;
    return finish(task, Step::kFail, code, "the node reported an error", now, &attempt, said);
  }
  behaved(assignee, Conduct::kError, &task);
  requeue(task, Cause::kFault, code, "the node reported an error", now, said);
}

/// The node did not run the present attempt, or not to its end.
void Lifecycle::take_returned(Task& task, Assignee& assignee, const ValueMap& info,
                              const Now& now) {
  if (get_uint(info, "code") != static_cast<std::uint64_t>(ErrorCode::kNodeUnfit)) {
    take_back(task, ErrorCode::kNodeDrained, "the node gave it back", now);
    return behaved(assignee, Conduct::kRefused);
  }
  const std::string why = get_string(info, "error");
  requeue(task, Cause::kNobody, ErrorCode::kNodeUnfit, "the node can run nothing now", now, why);
  behaved(assignee, Conduct::kUnfit, nullptr, clip_text(why, limits::kMaxLogReasonBytes));
}

/// A result that cannot be taken would be sent again and again, until its time limit, and another
/// attempt would end likewise.
void Lifecycle::handle(const ResultsUnreadable& event, const Now& now) {
  Assignee& assignee = *assignments_.find(event.session);
  for (const AssignmentRef& ref : event.refs) {
    const auto code = static_cast<std::uint64_t>(event.error.code == ErrorCode::kTooLarge
                                                     ? ErrorCode::kResultTooLarge
                                                     : ErrorCode::kTaskError);
    msg::Result::Entry entry{ref, msg::Outcome::kError, {}, {}};
    entry.info = {{"code", code}, {"error", "its RESULT was refused: " + event.error.detail}};
    tell(SendResultAck{assignee.session, ref, take_result(assignee, entry, now)});
  }
}

}  // namespace genai::dispatcher
