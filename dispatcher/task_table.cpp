#include "dispatcher/task_table.h"

#include <algorithm>

#include "dispatcher/check.h"
#include "protocol/limits.h"
#include "protocol/planted.h"
#include "protocol/text.h"

namespace genai::dispatcher {
namespace {

constexpr std::size_t kUsualLogEntries = 4;  // accepted, assigned, taken, completed

bool is_edge(TaskStatus from, TaskStatus to) {
  if (is_terminal(from)) return false;
  switch (to) {
    case TaskStatus::kUnscheduled:
      return from != TaskStatus::kUnscheduled;
    case TaskStatus::kScheduled:
      return from == TaskStatus::kUnscheduled;
    case TaskStatus::kSent:
      return from != TaskStatus::kSent;  // Unscheduled: kept by its old node
    default:
      return true;
  }
}

// A task that is requeued for days must not grow without bound: its beginning and its end tell the
// story, so entries go from the middle.
void append(Task& task, LogEntry entry) {
  if (entry.reason.size() > limits::kMaxLogReasonBytes)
    entry.reason = clip_text(entry.reason, limits::kMaxLogReasonBytes);
  if (task.log.size() >= limits::kMaxTaskLogEntries) {
    const auto middle =
        task.log.begin() + static_cast<std::ptrdiff_t>(limits::kMaxTaskLogEntries / 2);
    task.log_bytes -= middle->bytes();
    task.log.erase(middle);
  }
  task.log_bytes += entry.bytes();
  task.log.push_back(std::move(entry));
}

}  // namespace

Task* TaskTable::find(const TaskId& id) {
  const auto it = by_id_.find(std::string_view(id.str()));
  return it == by_id_.end() ? nullptr : it->task;
}

const Task* TaskTable::find(const TaskId& id) const {
  return const_cast<TaskTable*>(this)->find(id);
}

Task& TaskTable::enter(std::unique_ptr<Task> task) {
  Task& added = *task;
  // Ids that begin with the time, as ours do, come in their order: the end is asked first.
  const auto place = tasks_.emplace_hint(tasks_.end(), added.id.str(), std::move(task));
  const bool inserted = by_id_.insert({&added, place}).second;
  GENAI_CHECK(inserted);
  ++counts_[static_cast<std::size_t>(added.status)];
  for (const LogEntry& entry : added.log) added.log_bytes += entry.bytes();
  if (!is_terminal(added.status)) queued_bytes_ += added.queued_bytes();
  note_deadline(added);
  return added;
}

Task& TaskTable::insert(std::unique_ptr<Task> task, const Now& now, std::string reason) {
  GENAI_CHECK(task->status == TaskStatus::kUnscheduled);
  task->log.reserve(kUsualLogEntries);
  task->log.push_back({to_ms(now.wall), task->status, std::move(reason), {}, 0});
  Task& added = enter(std::move(task));
  journal_.note(added);
  return added;
}

Task& TaskTable::restore(std::unique_ptr<Task> task) {
  Task& added = enter(std::move(task));
  journal_.restored(added);
  return added;
}

void TaskTable::erase(Task& task) {
  journal_.erase(task);
  remove(task);
}

void TaskTable::expire(Task& task, Duration now) {
  journal_.erase_lazily(task, now);
  remove(task);
}

void TaskTable::remove(Task& task) {
  forget_deadline(task);
  --counts_[static_cast<std::size_t>(task.status)];
  if (!is_terminal(task.status)) queued_bytes_ -= task.queued_bytes();
  const auto it = by_id_.find(std::string_view(task.id.str()));
  const auto place = it->place;
  by_id_.erase(it);
  tasks_.erase(place);
}

void TaskTable::move(Task& task, TaskStatus to, std::string reason, const Now& now,
                     const NodeId& node, std::uint32_t attempt) {
  GENAI_CHECK(is_edge(task.status, to));
  // That a node acknowledged is known again from the node itself: not worth a write of its own.
  const bool forget = GENAI_PLANTED(kForgetToJournal) && to == TaskStatus::kFailed;
  if ((task.status != TaskStatus::kScheduled || to != TaskStatus::kSent) && !forget)
    journal_.note(task);
  if (!GENAI_PLANTED(kCountDrift) || !is_terminal(to))
    --counts_[static_cast<std::size_t>(task.status)];
  ++counts_[static_cast<std::size_t>(to)];
  task.status = to;
  task.phase_ends = kNever;
  queued_bytes_ -= task.queued_bytes();
  append(task, {to_ms(now.wall), to, std::move(reason), node, attempt});
  if (is_terminal(to)) {
    if (to != TaskStatus::kFailed) task.payload = {};
    task.ended_at = now.mono;
    forget_deadline(task);
  } else {
    queued_bytes_ += task.queued_bytes();
    note_deadline(task);
  }
}

void TaskTable::annotate(Task& task, std::string reason, const Now& now, const NodeId& node,
                         std::uint32_t attempt) {
  const bool queued = !is_terminal(task.status);
  if (queued) queued_bytes_ -= task.queued_bytes();
  append(task, {to_ms(now.wall), task.status, std::move(reason), node, attempt});
  if (queued) queued_bytes_ += task.queued_bytes();
  journal_.note(task);
}

void TaskTable::set_phase_end(Task& task, Duration at) {
  task.phase_ends = at;
  note_deadline(task);
}

Duration TaskTable::next_deadline() const {
  return deadlines_.empty() ? kNever : deadlines_.begin()->first.first;
}

Task* TaskTable::next_due(Duration now) {
  while (!deadlines_.empty() && deadlines_.begin()->first.first <= now) {
    Task& task = *deadlines_.begin()->second;
    if (deadline(task) <= now) return &task;
    forget_deadline(task);
    note_deadline(task);
  }
  return nullptr;
}

std::size_t TaskTable::live() const {
  return count(TaskStatus::kUnscheduled) + count(TaskStatus::kScheduled) + count(TaskStatus::kSent);
}

Duration TaskTable::deadline(const Task& task) {
  if (GENAI_PLANTED(kForgetDeadline) && !is_terminal(task.status)) return task.phase_ends;
  return is_terminal(task.status) ? kNever : std::min(task.expires_at, task.phase_ends);
}

void TaskTable::note_deadline(Task& task) {
  const Duration at = deadline(task);
  if (at >= task.noted_deadline) return;
  forget_deadline(task);
  deadlines_.emplace(std::pair{at, task.sequence}, &task);
  task.noted_deadline = at;
}

void TaskTable::forget_deadline(Task& task) {
  if (task.noted_deadline != kNever) deadlines_.erase({task.noted_deadline, task.sequence});
  task.noted_deadline = kNever;
}

void TaskTable::check_invariants() const {
  std::array<std::size_t, 6> counts{};
  std::size_t bytes = 0, deadlines = 0;
  for (const auto& [id, task] : tasks_) {
    ++counts[static_cast<std::size_t>(task->status)];
    GENAI_CHECK(id == task->id.str());
    GENAI_CHECK(find(task->id) == task.get());
    GENAI_CHECK(!task->log.empty() && task->log.back().status == task->status);
    if (is_terminal(task->status)) {
      GENAI_CHECK(task->payload.empty() || task->status == TaskStatus::kFailed);
    } else {
      bytes += task->queued_bytes();
      GENAI_CHECK(task->result.empty());
    }
    if (task->is_assigned()) GENAI_CHECK(task->attempt(task->current) != nullptr);
    GENAI_CHECK(task->noted_deadline <= deadline(*task));
    if (const Duration at = task->noted_deadline; at != kNever) {
      ++deadlines;
      GENAI_CHECK(!is_terminal(task->status));
      GENAI_CHECK((deadlines_.at({at, task->sequence}) == task.get()));
    }
  }
  GENAI_CHECK(by_id_.size() == tasks_.size());
  GENAI_CHECK(counts == counts_);
  GENAI_CHECK(bytes == queued_bytes_);
  GENAI_CHECK(deadlines == deadlines_.size());
}

}  // namespace genai::dispatcher
