#include "dispatcher/tasks/lifecycle.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dispatcher/tasks/limits.h"
#include "dispatcher/tasks/result_info.h"
#include "dispatcher/tasks/span_bounds.h"
#include "dispatcher/tasks/task_times.h"
#include "protocol/base/check.h"
#include "protocol/base/planted.h"
#include "protocol/base/text.h"

namespace genai::dispatcher {
namespace {

using namespace task_event;

// Nodes keep the time limit themselves and tell it better; this side is for those that do not.
constexpr Duration kTimeLimitGrace = from_ms(2000);

std::string with_what_was_said(const std::string& reason, const std::string& said) {
  return said.empty() ? reason : reason + ": " + said;
}

}  // namespace

Lifecycle::Lifecycle(const AttemptLimits& limits, Duration lost, std::uint64_t epoch, bool durable,
                     Metrics& metrics)
    : limits_(limits),
      epoch_(epoch),
      accepted_total_(metrics.counter("accepted_total", "Tasks accepted.")),
      requeued_total_(metrics.counter("requeued_total", "Tasks put back into the queue.")),
      late_results_total_(metrics.counter(
          "late_results_total", "Results that counted though their attempt had been given up.")),
      discarded_results_total_(
          metrics.counter("discarded_results_total",
                          "Results that did not count: another one had, or the task had ended.")),
      queue_ms_(metrics.histogram(
          "queue_ms", "How long tasks waited from their acceptance to their first assignment.",
          kSpanBoundsMs)),
      changes_(durable),
      tasks_(changes_),
      blame_(limits, lost) {}

// ---- acceptance

void Lifecycle::handle(Accept& event, const Now& now) {
  std::unique_ptr<Task> task = tasks_.make();
  task->id = event.id;
  task->spec = KeptSpec(event.spec);
  task->payload = std::move(event.payload);
  task->digest = event.digest;
  task->sequence = ++sequence_;
  task->accepted_at = now.mono;
  task->created_ms = to_ms(now.wall);
  task->crashes_before = static_cast<std::uint32_t>(blame_.crashes());
  set_deadlines(*task, event.spec, now);
  Task& added = tasks_.insert(std::move(task), now, event.reason);
  ++accepted_total_;
  tell(Accepted{&added, &event.spec});
}

Task& Lifecycle::restore(TaskRecord record, const Now& now) {
  Task& task = tasks_.restore(std::move(record), now);
  sequence_ = std::max(sequence_, task.sequence);
  return task;
}

void Lifecycle::give_up(const std::vector<Task*>& tasks, const Now& now) {
  for (Task* task : tasks) {
    tasks_.give_up(*task, now);
    ++requeued_total_;
    tell(Requeued{task, {}, Cause::kNobody});
  }
}

// ---- edges

void Lifecycle::handle(const Assign& event, const Now& now) {
  Task& task = event.task;
  Assignee& assignee = *assignments_.find(event.session);
  const std::uint32_t number =
      task.issued.empty() || GENAI_PLANTED(kReuseAttempt) ? 1 : task.issued.back().number + 1;
  if (task.issued.size() == kMaxIssued) task.issued.erase(task.issued.begin());
  task.issued.push_back({number, epoch_, assignee.session, assignee.node_id});
  task.current = number;
  task.asked_back = false;
  tasks_.move(task, Step::kAssign, event.reason, now, assignee.node_id, number);
  tasks_.set_usual_phase_end(task, now.mono + limits_.assign_ack);
  Assignments::give(assignee, task);
  if (number == 1)
    queue_ms_.observe(static_cast<double>((now.mono - task.accepted_at).count()) / 1000);
  tell(Assigned{&task, assignee.session});
  tell(SendAssign{assignee.session, &task, ref_of(task)});
}

void Lifecycle::acknowledge(Task& task, Assignee& assignee, const Now& now) {
  tasks_.move(task, Step::kAcknowledge, "node took it", now, assignee.node_id, task.current);
  start_clock(task, assignee, now);
  tell(Acknowledged{&task, assignee.session, false, false});
}

void Lifecycle::keep(Task& task, Assignee& assignee, IssuedAttempt& attempt, const Now& now) {
  const bool was_recovering = std::exchange(task.recovering, false);
  task.current = attempt.number;
  task.asked_back = false;
  tasks_.move(task, Step::kKeep, "kept: its node still holds it", now, assignee.node_id,
              attempt.number);
  Assignments::give(assignee, task);
  start_clock(task, assignee, now);
  tell(Acknowledged{&task, assignee.session, true, was_recovering});
}

/// A prefetched task waits for those before it, so its clock allows for them too.
void Lifecycle::start_clock(Task& task, const Assignee& assignee, const Now& now) {
  task.acknowledged_at = now.mono;
  const Duration limit =
      task.spec.time_limit_ms() ? from_ms(task.spec.time_limit_ms()) : limits_.time_limit;
  const auto rounds = 1 + (assignee.outstanding() - 1) / assignee.slots;
  tasks_.set_phase_end(task,
                       now.mono + limit * static_cast<std::int64_t>(rounds) + kTimeLimitGrace);
}

Assignee& Lifecycle::detach(Task& task) {
  GENAI_CHECK(task.is_assigned());
  Assignee* assignee = assignments_.find(task.attempt(task.current)->session);
  GENAI_CHECK(assignee != nullptr);
  Assignments::take(*assignee, task);
  return *assignee;
}

bool Lifecycle::used_up(const Task& task) const {
  const std::uint32_t faults =
      task.spec.max_attempts() ? task.spec.max_attempts() : limits_.max_faults;
  return task.faults >= faults || task.losses >= limits_.max_losses ||
         task.drains >= limits_.max_drains;
}

void Lifecycle::requeue(Task& task, Cause cause, ErrorCode code, const std::string& reason,
                        const Now& now, const std::string& said) {
  if (cause == Cause::kFault) ++task.faults;
  if (cause == Cause::kLoss) ++task.losses;
  if (cause == Cause::kDrain) ++task.drains;
  const IssuedAttempt& ended = *task.attempt(task.current);
  if (used_up(task))
    return finish(task, Step::kFail, code,
                  fmt::format("attempts used up: {} errors, {} losses, {} drains; {}", task.faults,
                              task.losses, task.drains, reason),
                  now, &ended, said);
  const SessionId from = detach(task).session;
  ++requeued_total_;
  tell(LogEvent{LogEvent::Level::kInfo,
                "task requeued",
                {{"task_id", task.id.str()},
                 {"attempt", ended.number},
                 {"node_id", ended.node_id.str()},
                 {"code", name(code)},
                 {"reason", reason}}});
  tasks_.move(task, Step::kRequeue, with_what_was_said(reason, said), now, ended.node_id,
              ended.number);
  tell(Requeued{&task, from, cause});
}

/// Its node gave the task back, or left. Each node is charged once, and only for what it had taken:
/// one that comes and leaves without end cannot use up the tasks of others.
void Lifecycle::take_back(Task& task, ErrorCode code, const std::string& reason, const Now& now) {
  IssuedAttempt& attempt = *task.attempt(task.current);
  const bool before = std::ranges::any_of(task.issued, [&](const IssuedAttempt& a) {
    return a.drained && a.node_id == attempt.node_id;
  });
  const bool charged = task.status == TaskStatus::kSent && !before;
  attempt.drained = charged;
  requeue(task, charged ? Cause::kDrain : Cause::kNobody, code, reason, now);
}

void Lifecycle::finish(Task& task, Step step, ErrorCode code, std::string reason, const Now& now,
                       const IssuedAttempt* by, const std::string& said, std::uint64_t load_ms) {
  Ended ended{&task, task.status, std::exchange(task.recovering, false), {}, {}, false, load_ms};
  if (step == Step::kComplete) {
    ended.by = by->session;
    ended.is_late = !task.is_assigned() || task.current != by->number;
  }
  if (task.status != TaskStatus::kUnscheduled) ended.from = detach(task).session;
  task.code = code;
  if (step != Step::kComplete) {
    task.info["error"] = clip_text(with_what_was_said(reason, said));
    task.result = {};
  }
  const bool is_failed = step == Step::kFail;
  if (is_failed || tells_all_)
    tell(LogEvent{is_failed ? LogEvent::Level::kWarn : LogEvent::Level::kDebug,
                  is_failed ? "task failed" : "task ended",
                  {{"task_id", task.id.str()},
                   {"status", name(*edge(task.status, step))},
                   {"code", name(code)},
                   {"reason", reason}}});
  tasks_.move(task, step, with_what_was_said(reason, said), now, by ? by->node_id : NodeId(),
              by ? by->number : 0);
  trim_info(task.info);
  task.ended_by = by ? by->number : 0;
  tell(std::move(ended));
}

void Lifecycle::quarantine(Task& task, const Now& now) {
  ++task.losses;
  const std::size_t nodes = nodes_failed(task);
  finish(task, Step::kFail, ErrorCode::kQuarantined,
         fmt::format("quarantined: {} times a node was lost while it executed this task ({} "
                     "different node{})",
                     task.losses, nodes, nodes == 1 ? "" : "s"),
         now, task.attempt(task.current));
}

// ---- wishes of clients and of placement

/// A cancel wins or loses once: from here on the task is Aborted, whatever its node still says.
void Lifecycle::handle(const Cancel& event, const Now& now) {
  abort_current(event.task, ErrorCode::kCancelled, now);
  finish(event.task, Step::kAbort, ErrorCode::kCancelled, "cancelled by a client", now);
}

void Lifecycle::handle(const Reprioritise& event, const Now& now) {
  event.task.priority_override = static_cast<std::int8_t>(event.priority);
  tasks_.annotate(event.task, fmt::format("priority {} from now on", event.priority), now);
  tell(Reprioritised{&event.task});
}

/// The attempt stays what it is until its node says that it has not begun.
void Lifecycle::handle(const AskBack& event, const Now&) {
  event.task.asked_back = true;
  tell(SendAbort{event.task.attempt(event.task.current)->session, ref_of(event.task),
                 ErrorCode::kTakenBack, false});
}

// ---- time

void Lifecycle::handle(const Expire& event, const Now& now) {
  Task& task = event.task;
  const bool missed = task.has_near_deadline;
  const ErrorCode code = missed ? ErrorCode::kDeadlineMissed : ErrorCode::kExpired;
  abort_current(task, code, now);
  std::string reason =
      missed ? "its deadline passed" : fmt::format("expired after {} ms", task.spec.whole().ttl_ms);
  if (task.status == TaskStatus::kUnscheduled)
    reason += " in the queue: " + event.why;
  else
    reason += " while " + std::string(name(task.status));
  finish(task, Step::kFail, code, clip_text(reason), now);
}

void Lifecycle::handle(const PayloadLost& event, const Now& now) {
  abort_current(event.task, ErrorCode::kDataLost, now);
  finish(event.task, Step::kFail, ErrorCode::kDataLost, "its payload is lost: " + event.why, now);
}

void Lifecycle::handle(const EndPhase& event, const Now& now) {
  Task& task = event.task;
  IssuedAttempt& attempt = *task.attempt(task.current);
  Assignee& assignee = *assignments_.find(attempt.session);
  attempt.failed = true;
  if (task.status == TaskStatus::kScheduled) {
    abort_current(task, ErrorCode::kAssignUnanswered, now);
    requeue(task, Cause::kNobody, ErrorCode::kAssignUnanswered,
            "the node did not answer the assignment", now);
  } else {
    abort_current(task, ErrorCode::kTimeLimit, now);
    requeue(task, Cause::kFault, ErrorCode::kTimeLimit, "the time limit passed without a result",
            now);
  }
  behaved(assignee, Conduct::kSlow);
}

void Lifecycle::expire(const Now& now) {
  assignments_.resend_aborts(
      now.mono, limits_.abort_resend,
      [&](const Assignee& assignee, const AssignmentRef& ref, ErrorCode code) {
        tell(SendAbort{assignee.session, ref, code, true});
      });
}

// ---- aborts

void Lifecycle::abort_attempt(Assignee& assignee, const AssignmentRef& ref, ErrorCode code,
                              const Now& now) {
  if (!assignments_.abort(assignee, ref, code, now.mono + limits_.abort_resend)) return;
  tell_aborting(assignee);
  if (!GENAI_PLANTED(kForgetAbort)) tell(SendAbort{assignee.session, ref, code, false});
}

/// Takes the attempt away from its node; the task is left for the caller to move at once.
void Lifecycle::abort_current(Task& task, ErrorCode code, const Now& now) {
  if (!task.is_assigned()) return;
  abort_attempt(*assignments_.find(task.attempt(task.current)->session), ref_of(task), code, now);
}

void Lifecycle::tell_aborting(const Assignee& assignee) {
  tell(Aborting{assignee.session, assignee.aborts.size()});
}

void Lifecycle::check() const {
  tasks_.check_invariants();
  assignments_.check();
}

}  // namespace genai::dispatcher
