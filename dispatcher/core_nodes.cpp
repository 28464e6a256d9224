// What nodes say of their tasks. Nothing is believed unless the attempt was issued to that session.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "dispatcher/core.h"
#include "dispatcher/tasks/result_info.h"
#include "protocol/base/planted.h"
#include "protocol/base/text.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher {
namespace {

// The attempt a ref names, if it was issued to this session, by this dispatcher or an earlier one.
IssuedAttempt* issued_to(Task* task, const AssignmentRef& ref, const Provider& provider) {
  if (!task) return nullptr;
  IssuedAttempt* attempt = task->attempt(ref.attempt);
  const bool is_his =
      GENAI_PLANTED(kTrustAnySession) || (attempt && attempt->session == provider.session);
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

void Core::on_node_frame(Provider& provider, const Blob& frame, const Now& now) {
  auto message = decode<NodeToDispatcher>(frame);
  if (!message) {
    note_malformed("malformed frame from a node", "node_id", provider.node_id.str(),
                   message.error(), now);
    outbox_.error(provider, message.error());
    return take_unreadable(provider, frame, message.error(), now);
  }
  std::visit([&](auto& body) { on_node(provider, body, now); }, *message);
}

void Core::on_node(Provider& provider, const msg::AssignAck& message, const Now& now) {
  for (const auto& entry : message.entries) {
    Task* task = tasks_.find(entry.ref.task_id);
    IssuedAttempt* attempt = issued_to(task, entry.ref, provider);
    const bool current =
        attempt && task->status == TaskStatus::kScheduled && task->current == entry.ref.attempt;
    if (entry.code == ErrorCode::kOk) {
      claim(provider, entry.ref, now);
    } else if (current) {
      refuse(*task, provider, entry, now);
    } else if (attempt) {
      attempt->open = false;
      provider.zombies.erase(entry.ref);
      providers_.reindex(provider, now.mono);
    }
  }
}

void Core::refuse(Task& task, Provider& provider, const msg::AssignAck::Entry& entry,
                  const Now& now) {
  IssuedAttempt& attempt = *task.attempt(task.current);
  attempt.open = false;
  attempt.failed = entry.code != ErrorCode::kNodeFull;  // it may have room the next time
  requeue(task, Cause::kNobody, entry.code, fmt::format("the node refused: {}", name(entry.code)),
          now, entry.detail);
  if (entry.code == ErrorCode::kNodeLeaving)
    set_reach(provider, Reach::kDraining, now);
  else if (entry.code == ErrorCode::kNodeFull)
    providers_.count_refusal(provider, now.mono);
  else
    providers_.bar(provider, now.mono);
}

/// The node says it holds this: an acknowledgement, a claim to what was requeued meanwhile, or
/// something it should let go.
void Core::claim(Provider& provider, const AssignmentRef& ref, const Now& now) {
  if (provider.zombies.contains(ref)) return;  // its ABORT is on the way, and repeated
  Task* task = tasks_.find(ref.task_id);
  IssuedAttempt* attempt = issued_to(task, ref, provider);
  if (!attempt) {
    outbox_.abort(provider, ref, ErrorCode::kUnknownTask);
    return;
  }
  if (task->is_assigned() && task->current == ref.attempt) {
    if (task->status == TaskStatus::kScheduled) acknowledge(*task, provider, now);
    return;
  }
  if (!attempt->open) return;  // its end is known: an acknowledgement of ours is on the way
  if (task->status == TaskStatus::kUnscheduled) {
    adopt(*task, provider, *attempt, now);
    outbox_.keep(provider, ref);
    return;
  }
  const bool won = task->status == TaskStatus::kCompleted;  // by another attempt
  const ErrorCode ended = won ? ErrorCode::kResultDiscarded : task->code;
  abort_attempt(provider, ref, is_terminal(task->status) ? ended : ErrorCode::kProviderLost, now);
}

/// A held list is complete and arrives in order: what was acknowledged but is not in it is gone.
void Core::drop_unheld(Provider& provider, const std::vector<AssignmentRef>& held, const Now& now) {
  if (provider.tasks.empty() && provider.zombies.empty()) return;
  const auto before = [](const AssignmentRef* a, const AssignmentRef* b) { return *a < *b; };
  std::vector<const AssignmentRef*> present;
  present.reserve(held.size());
  for (const AssignmentRef& ref : held) present.push_back(&ref);
  std::ranges::sort(present, before);
  const auto is_held = [&](const AssignmentRef& ref) {
    return std::ranges::binary_search(present, &ref, before);
  };
  if (std::erase_if(provider.zombies, [&](const auto& z) { return !is_held(z.first); }))
    providers_.reindex(provider, now.mono);
  std::vector<Task*> dropped;
  for (const QueueEntry* held_here : provider.tasks)
    if (held_here->record->status == TaskStatus::kSent && !is_held(ref_of(*held_here->record)))
      dropped.push_back(&task_of(*held_here));
  for (Task* task : dropped) {
    IssuedAttempt& attempt = *task->attempt(task->current);
    attempt.open = false;
    attempt.failed = true;
    ++provider.record->lost;
    requeue(*task, Cause::kLoss, ErrorCode::kTaskDropped,
            "the node took it and does not hold it any more", now);
    providers_.count_fault(provider, now.mono);
  }
}

void Core::on_node(Provider& provider, const msg::Progress& message, const Now&) {
  for (const auto& entry : message.entries) {
    Task* task = tasks_.find(entry.ref.task_id);
    if (!issued_to(task, entry.ref, provider)) continue;
    if (task->status != TaskStatus::kSent || task->current != entry.ref.attempt) continue;
    progress_.insert_or_assign(task->handle, Progress{entry.fraction, entry.text});
    progressed_.emplace(task->sequence, task);
  }
}

void Core::on_node(Provider& provider, msg::Result& message, const Now& now) {
  const bool alone = message.entries.size() == 1;
  for (auto& entry : message.entries) {
    // A small result must not keep in memory what came with it: the node's batch, or the broker's,
    // where only what is larger than a batch travels alone.
    if (!alone || entry.data.size() < limits::kBatchTargetBytes) entry.data = entry.data.detached();
    if (const std::string dropped = drop_mistyped(entry.info); !dropped.empty())
      note_malformed("keys of a result's info with wrong types were dropped", "node_id",
                     provider.node_id.str(), {ErrorCode::kBadField, dropped}, now);
    const ErrorCode code = take_result(provider, entry, now);
    if (code != ErrorCode::kOk) ++discarded_results_total_;
    outbox_.ack_result(provider, entry.ref, code);
  }
}

ErrorCode Core::take_result(Provider& provider, msg::Result::Entry& entry, const Now& now) {
  Task* task = tasks_.find(entry.ref.task_id);
  IssuedAttempt* attempt = issued_to(task, entry.ref, provider);
  if (provider.zombies.erase(entry.ref)) providers_.reindex(provider, now.mono);
  if (!attempt) return task ? ErrorCode::kResultDiscarded : ErrorCode::kUnknownTask;
  // The node need not have been heard since a restart to have finished.
  if (task->recovering && task->current == entry.ref.attempt) adopt(*task, provider, *attempt, now);
  attempt->open = false;
  if (is_terminal(task->status) && !GENAI_PLANTED(kResultAfterEnd))
    return ErrorCode::kResultDiscarded;

  if (entry.outcome == msg::Outcome::kOk) {
    complete(*task, *attempt, provider, entry, now);
    return ErrorCode::kOk;
  }
  if (!task->is_assigned() || task->current != entry.ref.attempt)
    return ErrorCode::kResultDiscarded;  // the end of an attempt that no longer counts
  if (entry.outcome == msg::Outcome::kReturned)
    take_returned(*task, provider, entry.info, now);
  else
    take_error(*task, provider, std::move(entry.info), now);
  return ErrorCode::kOk;
}

/// The present attempt ended with an error.
void Core::take_error(Task& task, Provider& provider, ValueMap info, const Now& now) {
  const ErrorCode code = fault_code(info);
  IssuedAttempt& attempt = *task.attempt(task.current);
  attempt.failed = true;
  ++provider.record->failed;
  save_later(provider, now);
  info.erase("code");  // a task's own code says it, and may be another one in the end
  task.info = std::move(info);
  bound_info(task.info);
  const std::string said = get_string(task.info, "error", "an error");
  if (is_permanent(code)) {  // and the node has only told the truth
    ++task.faults;
    return finish(task, TaskStatus::kFailed, code, "the node reported an error", now, &attempt,
                  said);
  }
  measures_.failed(provider.record->measured, task.entry->group->model, false, to_ms(now.wall));
  requeue(task, Cause::kFault, code, "the node reported an error", now, said);
  providers_.count_fault(provider, now.mono);
}

/// The node did not run the present attempt, or not to its end.
void Core::take_returned(Task& task, Provider& provider, const ValueMap& info, const Now& now) {
  if (get_uint(info, "code") != static_cast<std::uint64_t>(ErrorCode::kNodeUnfit)) {
    take_back(task, ErrorCode::kNodeDrained, "the node gave it back", now);
    return providers_.bar(provider, now.mono);
  }
  const std::string why = get_string(info, "error");
  requeue(task, Cause::kNobody, ErrorCode::kNodeUnfit, "the node can run nothing now", now, why);
  if (provider.unfit == 0)
    outbox_.note({LogEvent::Level::kWarn,
                  "node can run nothing now",
                  {{"node_id", provider.node_id.str()}}});
  providers_.count_unfit(provider, clip_text(why, limits::kMaxLogReasonBytes), now.mono);
}

/// A result that cannot be taken would be sent again and again, until its time limit, and another
/// attempt would end likewise.
void Core::take_unreadable(Provider& provider, const Blob& frame, const Error& error,
                           const Now& now) {
  for (const AssignmentRef& ref : unreadable_results(frame)) {
    const auto code = static_cast<std::uint64_t>(
        error.code == ErrorCode::kTooLarge ? ErrorCode::kResultTooLarge : ErrorCode::kTaskError);
    msg::Result::Entry entry{ref, msg::Outcome::kError, {}, {}};
    entry.info = {{"code", code}, {"error", "its RESULT was refused: " + error.detail}};
    outbox_.ack_result(provider, ref, take_result(provider, entry, now));
  }
}

/// The first valid result counts, whichever attempt it is of; a newer attempt elsewhere is aborted.
void Core::complete(Task& task, IssuedAttempt& attempt, Provider& provider,
                    msg::Result::Entry& entry, const Now& now) {
  const bool late = !task.is_assigned() || task.current != attempt.number;
  if (late) {
    ++late_results_total_;
    abort_current(task, ErrorCode::kResultDiscarded, now);
  } else if (task.entry->begun_at != Duration{0} && task.entry->seen_whole) {
    measure(task, provider, entry.info, now);
  }
  task.info = std::move(entry.info);
  bound_info(task.info);
  task.result = std::move(entry.data);
  journal_.count_bytes(task.result.size());
  finish(task, TaskStatus::kCompleted, ErrorCode::kOk,
         late ? fmt::format("late result of attempt {}", attempt.number) : "result", now, &attempt);
  providers_.count_success(provider, now.mono);
}

void Core::on_node(Provider& provider, const msg::AbortAck& message, const Now& now) {
  for (const auto& entry : message.entries) {
    if (entry.outcome == msg::AbortOutcome::kStarted) continue;  // asked back too late: it goes on
    provider.zombies.erase(entry.ref);
    Task* task = tasks_.find(entry.ref.task_id);
    IssuedAttempt* attempt = issued_to(task, entry.ref, provider);
    if (!attempt) continue;
    if (task->is_assigned() && task->current == entry.ref.attempt) {
      if (!task->entry->asked_back || entry.outcome != msg::AbortOutcome::kStopped) continue;
      attempt->open = false;
      requeue(*task, Cause::kNobody, ErrorCode::kTakenBack,
              "taken back before it began: another node can begin sooner", now);
      continue;
    }
    attempt->open = false;
  }
  providers_.reindex(provider, now.mono);
}

/// What the attempt took, as far as this side has seen it from beginning to end.
void Core::measure(const Task& task, Provider& provider, const ValueMap& info, const Now& now) {
  const double took_s = seconds(now.mono - task.entry->begun_at);
  const double load_s = std::min(static_cast<double>(get_uint(info, "load_ms")) / 1000, took_s);
  const TaskClass& group = *task.entry->group;
  measures_.ran(provider.record->measured, group.model, group.key.size, took_s - load_s, load_s,
                to_ms(now.wall));
  run_ms_.observe(took_s * 1000);
  save_later(provider, now);
}

}  // namespace genai::dispatcher
