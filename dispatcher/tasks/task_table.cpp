#include "dispatcher/tasks/task_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "dispatcher/tasks/task_times.h"
#include "protocol/base/check.h"
#include "protocol/base/limits.h"
#include "protocol/base/planted.h"
#include "protocol/base/text.h"

namespace genai::dispatcher {
namespace {

/// What is told when the task takes an illegal step.
std::string story_of(const Task& task, Step step) {
  std::string story = fmt::format("task {} is {}: no step '{}' from there; its log:", task.id.str(),
                                  name(task.status), name(step));
  for (const LogEntry entry : task.log)
    story += fmt::format("\n  {} {} {} (attempt {} at '{}')", entry.at_ms, name(entry.status),
                         entry.reason, entry.attempt, entry.node_id.view());
  return story;
}

// A task that is requeued for days must not grow without bound: its beginning and its end tell the
// story, so entries go from the middle.
void append(Task& task, std::string_view reason, const Now& now, const NodeId& node,
            std::uint32_t attempt) {
  std::string clipped;
  if (reason.size() > limits::kMaxLogReasonBytes)
    reason = clipped = clip_text(reason, limits::kMaxLogReasonBytes);
  // To count the entries of each log would cost; few are so long that they may have too many.
  constexpr std::size_t kFewBytes = limits::kMaxTaskLogEntries * TaskLog::kLeastEntryBytes;
  if (task.log.bytes() >= kFewBytes && task.log.size() >= limits::kMaxTaskLogEntries)
    task.log.erase(limits::kMaxTaskLogEntries / 2);
  task.log.add(to_ms(now.wall), task.status, reason, node, attempt);
}

}  // namespace

TaskView::TaskView(const Known& known) : task_(known.present()) {
  if (task_) return;
  copy_ = known.past().revive();
  copy_->handle = known.handle();
  task_ = copy_.get();
}

Task* TaskTable::find(const TaskId& id) {
  const auto it = by_id_.find(id.view());
  if (it == by_id_.end()) return nullptr;
  Task* const task = present(*it);
  return task ? task : &revive(*it);
}

Task* TaskTable::find_present(const TaskId& id) {
  const auto it = by_id_.find(id.view());
  return it == by_id_.end() ? nullptr : present(*it);
}

TaskView TaskTable::peek(const TaskId& id) const {
  const auto it = by_id_.find(id.view());
  return it == by_id_.end() ? TaskView() : TaskView(at(*it));
}

TaskHandle TaskTable::handle_of_new() {
  if (free_.empty()) return given_++;
  const TaskHandle handle = free_.back();
  free_.pop_back();
  return handle;
}

Task& TaskTable::enter(std::unique_ptr<Task> task) {
  Task& added = *task;
  added.handle = handle_of_new();
  Known& known = rows_[added.handle];
  known.task_ = std::move(task);
  known.handle_ = added.handle;
  // Ids that begin with the time, as ours do, come in their order: the end is
  // asked first.
  order_.insert(order_.end(), added.handle);
  const bool inserted = by_id_.insert(added.handle).second;
  GENAI_CHECK(inserted);
  ++counts_[static_cast<std::size_t>(added.status)];
  if (!is_terminal(added.status)) queued_bytes_ += added.queued_bytes();
  note_deadline(added);
  return added;
}

Task& TaskTable::insert(std::unique_ptr<Task> task, const Now& now, std::string_view reason) {
  GENAI_CHECK(task->status == TaskStatus::kUnscheduled);
  append(*task, reason, now, {}, 0);
  Task& added = enter(std::move(task));
  changes_.note(added);
  return added;
}

Task& TaskTable::restore(TaskRecord record, const Now& now) {
  auto task = std::make_unique<Task>(std::move(record));
  take_up(*task, now);
  Task& added = enter(std::move(task));
  changes_.stored(added);
  if (!is_terminal(added.status) && added.current != 0) recover(added, now);
  return added;
}

void TaskTable::recover(Task& task, const Now& now) {
  const std::optional<TaskStatus> after = edge(task.status, Step::kRecover);
  GENAI_CHECK_STORY(after, story_of(task, Step::kRecover));
  --counts_[static_cast<std::size_t>(task.status)];
  ++counts_[static_cast<std::size_t>(*after)];
  task.status = *after;
  task.recovering = true;
  annotate(task, "the dispatcher was restarted: waiting for its node to report", now,
           task.attempt(task.current)->node_id, task.current);
}

void TaskTable::give_up(Task& task, const Now& now) {
  const IssuedAttempt& attempt = *task.attempt(task.current);
  task.recovering = false;
  task.current = 0;
  annotate(task, "its node did not report it after the restart", now, attempt.node_id,
           attempt.number);
}

void TaskTable::erase(TaskHandle task, bool at_once, Duration now) {
  const std::uint64_t sequence = at(task).sequence();
  if (at_once)
    changes_.erase(task, sequence);
  else
    changes_.erase_lazily(task, sequence, now);
  remove(task);
}

void TaskTable::remove(TaskHandle handle) {
  Known& known = rows_[handle];
  --counts_[static_cast<std::size_t>(known.status())];
  if (known.task_) {
    Task& task = *known.task_;
    forget_deadline(task);
    if (!is_terminal(task.status)) queued_bytes_ -= task.queued_bytes();
    unsettle(task);
  }
  by_id_.erase(handle);
  // Mostly it is among the oldest; to look for it compares ids all over the
  // memory.
  constexpr int kOldest = 8;
  auto place = order_.begin();
  for (int i = 0; i < kOldest && place != order_.end() && *place != handle; ++i) ++place;
  if (place == order_.end() || *place != handle) place = order_.find(handle);
  order_.erase(place);
  known = {};
  free_.push_back(handle);
}

void TaskTable::settle(Task& task) {
  Known& known = rows_[task.handle];
  if (task.status == TaskStatus::kFailed || known.settled_slot_ != Known::kNotSettled) return;
  known.settled_slot_ = static_cast<std::uint32_t>(settled_.size());
  settled_.push_back(task.handle);
}

void TaskTable::unsettle(Task& task) {
  Known& known = rows_[task.handle];
  if (known.settled_slot_ == Known::kNotSettled) return;
  settled_[known.settled_slot_] = kGone;
  known.settled_slot_ = Known::kNotSettled;
}

void TaskTable::compact() {
  for (const TaskHandle handle : settled_) {
    if (handle == kGone) continue;
    GENAI_CHECK(!changes_.is_noted(handle));
    Known& known = rows_[handle];
    known.settled_slot_ = Known::kNotSettled;
    known.past_ = PastTask(*known.task_);
    spares_.put(std::move(known.task_));
  }
  settled_.clear();
}

Task& TaskTable::revive(TaskHandle handle) {
  Known& known = rows_[handle];
  known.task_ = known.past_.revive();
  known.task_->handle = handle;
  known.past_ = {};
  settle(*known.task_);
  return *known.task_;
}

void TaskTable::move(Task& task, Step step, std::string_view reason, const Now& now,
                     const NodeId& node, std::uint32_t attempt) {
  const std::optional<TaskStatus> after = edge(task.status, step);
  GENAI_CHECK_STORY(after, story_of(task, step));
  const TaskStatus to = *after;
  // That a node acknowledged is known again from the node itself: not worth a write of its own.
  const bool forget = GENAI_PLANTED(kForgetToJournal) && to == TaskStatus::kFailed;
  if ((task.status != TaskStatus::kScheduled || to != TaskStatus::kSent) && !forget)
    changes_.note(task);
  if (!GENAI_PLANTED(kCountDrift) || !is_terminal(to))
    --counts_[static_cast<std::size_t>(task.status)];
  ++counts_[static_cast<std::size_t>(to)];
  task.status = to;
  if (!task.is_assigned()) task.current = 0;
  // When the end of the old phase comes the task is looked at anyway: a later end of the next phase
  // needs no note of its own.
  if (step != Step::kAcknowledge) task.phase_ends = kNever;
  queued_bytes_ -= task.queued_bytes();
  append(task, reason, now, node, attempt);
  if (is_terminal(to)) {
    if (to != TaskStatus::kFailed) task.payload = {};
    task.ended_at = now.mono;
    task.ended_ms = to_ms(now.wall);
    forget_deadline(task);
  } else {
    queued_bytes_ += task.queued_bytes();
    if (step != Step::kAcknowledge) note_deadline(task);
  }
}

void TaskTable::annotate(Task& task, std::string_view reason, const Now& now, const NodeId& node,
                         std::uint32_t attempt) {
  const bool queued = !is_terminal(task.status);
  if (queued) queued_bytes_ -= task.queued_bytes();
  append(task, reason, now, node, attempt);
  if (queued) queued_bytes_ += task.queued_bytes();
  changes_.note(task);
}

void TaskTable::set_phase_end(Task& task, Duration at) {
  const bool is_looked_at_before = task.phase_ends <= at;
  task.phase_ends = at;
  if (!is_looked_at_before) note_deadline(task);
}

void TaskTable::set_usual_phase_end(Task& task, Duration at) {
  GENAI_CHECK(usual_phases_.empty() || usual_phases_.back().first <= at);
  task.phase_ends = at;
  usual_phases_.emplace_back(at, task.handle);
}

Duration TaskTable::next_deadline() const {
  return std::min(deadlines_.empty() ? kNever : deadlines_.begin()->first,
                  usual_phases_.empty() ? kNever : usual_phases_.front().first);
}

/// A place here may be that of another task by now, which is none the worse for the look.
void TaskTable::note_phases(Duration now) {
  for (; !usual_phases_.empty() && usual_phases_.front().first <= now; usual_phases_.pop_front())
    if (Task* task = present(usual_phases_.front().second); task && !is_terminal(task->status))
      note_deadline(*task);
}

Task* TaskTable::next_due(Duration now) {
  note_phases(now);
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Task& task = *present(deadlines_.begin()->second);
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
  Duration& noted = rows_[task.handle].noted_deadline_;
  const Duration at = deadline(task);
  if (at >= noted) return;
  forget_deadline(task);
  deadlines_.emplace(at, task.handle);
  noted = at;
}

void TaskTable::forget_deadline(Task& task) {
  Duration& noted = rows_[task.handle].noted_deadline_;
  if (noted != kNever) deadlines_.erase({noted, task.handle});
  noted = kNever;
}

void TaskTable::check_present(const Known& known) const {
  const Task& task = *known.task_;
  GENAI_CHECK(task.handle == known.handle_ && known.past_.empty());
  if (known.settled_slot_ != Known::kNotSettled) {
    GENAI_CHECK(settled_[known.settled_slot_] == task.handle);
    GENAI_CHECK(task.fetched && is_terminal(task.status) && task.status != TaskStatus::kFailed);
  }
  GENAI_CHECK(!task.log.empty() && task.log.last_status() == task.status);
  if (is_terminal(task.status))
    GENAI_CHECK(task.payload.empty() || task.status == TaskStatus::kFailed);
  else
    GENAI_CHECK(task.result.empty());
  GENAI_CHECK((task.is_assigned() || task.recovering) == (task.current != 0));
  if (task.current != 0) GENAI_CHECK(task.attempt(task.current) != nullptr);
  if (known.noted_deadline_ != kNever) {
    GENAI_CHECK(!is_terminal(task.status));
    GENAI_CHECK(deadlines_.contains({known.noted_deadline_, task.handle}));
  }
}

void TaskTable::check_invariants() const {
  std::array<std::size_t, 6> counts{};
  std::size_t bytes = 0, deadlines = 0, settled = 0;
  std::unordered_map<TaskHandle, Duration> looked_at;  // by then
  for (const auto& [at, task] : usual_phases_) looked_at.try_emplace(task, at);
  for (const Known& known : *this) {
    ++counts[static_cast<std::size_t>(known.status())];
    GENAI_CHECK(&at(known.handle_) == &known && by_id_.contains(known.id()) &&
                &at(*by_id_.find(known.id())) == &known);
    deadlines += known.noted_deadline_ != kNever;
    settled += known.settled_slot_ != Known::kNotSettled;
    if (!known.task_) {
      GENAI_CHECK(!known.past_.empty());
      continue;
    }
    check_present(known);
    const auto usual = looked_at.find(known.handle_);
    const Duration by = usual == looked_at.end() ? kNever : usual->second;
    GENAI_CHECK(std::min(known.noted_deadline_, by) <= deadline(*known.task_));
    if (!is_terminal(known.status())) bytes += known.task_->queued_bytes();
  }
  GENAI_CHECK(by_id_.size() == order_.size());
  GENAI_CHECK(given_ == order_.size() + free_.size());
  GENAI_CHECK(counts == counts_);
  GENAI_CHECK(bytes == queued_bytes_);
  GENAI_CHECK(deadlines == deadlines_.size());
  for (const TaskHandle handle : settled_) settled += handle == kGone;
  GENAI_CHECK(settled == settled_.size());
}

}  // namespace genai::dispatcher
