// Taking up what an earlier process left.
#include <algorithm>
#include <utility>

#include "dispatcher/core.h"

namespace genai::dispatcher {
namespace {

/// Wall time as this process's mono time; what seems to lie in the future (the clock was set back)
/// happened just now.
Duration mono_of(std::uint64_t unix_ms, const Now& now) {
  return now.mono - std::max(now.wall - from_ms(unix_ms), Duration{0});
}

std::unique_ptr<Task> to_task(store::TaskRecord record, const Now& now) {
  auto task = std::make_unique<Task>();
  task->id = std::move(record.id);
  task->spec = std::move(record.spec);
  task->payload = std::move(record.payload);
  task->digest = record.digest;
  task->sequence = record.sequence;
  task->status = record.status;
  task->issued = std::move(record.issued);
  task->current = record.current;
  task->faults = record.faults;
  task->losses = record.losses;
  task->drains = record.drains;
  task->accepted_at = mono_of(record.created_ms, now);
  task->created_ms = record.created_ms;
  task->code = record.code;
  task->info = std::move(record.info);
  task->result = std::move(record.result);
  if (record.ended_ms) task->ended_at = mono_of(record.ended_ms, now);
  task->fetched = record.fetched;
  task->log = std::move(record.log);
  return task;
}

}  // namespace

void Core::restore(std::vector<store::TaskRecord> records, const std::vector<store::NodeRow>& nodes,
                   const Now& now) {
  for (const store::NodeRow& node : nodes) providers_.record(node.id).drained = node.drained;
  for (store::TaskRecord& record : records) {
    auto owned = to_task(std::move(record), now);
    const bool was_assigned = !is_terminal(owned->status) && owned->current != 0;
    if (was_assigned) {
      owned->status = TaskStatus::kUnscheduled;
      owned->recovering = true;
    }
    set_times(*owned, now);
    Task& task = tasks_.restore(std::move(owned));
    sequence_ = std::max(sequence_, task.sequence);
    if (is_terminal(task.status)) {
      archive_.add(task);
      continue;
    }
    backlog_.enroll(task, now);
    if (was_assigned) {
      recovering_.emplace(task.sequence, &task);
      const IssuedAttempt& attempt = *task.attempt(task.current);
      tasks_.annotate(task, "the dispatcher was restarted: waiting for its node to report", now,
                      attempt.node_id, attempt.number);
    } else {
      backlog_.add(task, now.mono);
    }
  }
}

/// Who has not reported by now is gone. Nobody is blamed: whether the task was being executed is
/// not known.
void Core::end_recovery(const Now& now) {
  recovery_ends_ = kNever;
  for (const auto& [sequence, task] : std::exchange(recovering_, {})) {
    task->recovering = false;
    const IssuedAttempt& attempt = *task->attempt(task->current);
    tasks_.annotate(*task, "its node did not report it after the restart", now, attempt.node_id,
                    attempt.number);
    ++totals_.requeued;
    backlog_.add(*task, now.mono);
    notify(*task);
  }
}

}  // namespace genai::dispatcher
