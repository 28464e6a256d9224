#include "dispatcher/tasks/task_table.h"

#include <algorithm>

#include "dispatcher/tasks/task_times.h"
#include "protocol/base/check.h"
#include "protocol/base/limits.h"
#include "protocol/base/planted.h"
#include "protocol/base/text.h"

namespace genai::dispatcher {
namespace {

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
void append(Task& task, std::string_view reason, const Now& now, const NodeId& node,
            std::uint32_t attempt) {
  std::string clipped;
  if (reason.size() > limits::kMaxLogReasonBytes)
    reason = clipped = clip_text(reason, limits::kMaxLogReasonBytes);
  if (task.log.size() >= limits::kMaxTaskLogEntries) task.log.erase(limits::kMaxTaskLogEntries / 2);
  task.log.add(to_ms(now.wall), task.status, reason, node, attempt);
}

}  // namespace

Card* TaskTable::card_of(const TaskId& id) const {
  const auto it = by_id_.find(id.view());
  return it == by_id_.end() ? nullptr : *it;
}

Task* TaskTable::find(const TaskId& id) {
  Card* const card = card_of(id);
  if (!card) return nullptr;
  return card->task ? card->task.get() : &revive(*card);
}

Task* TaskTable::find_present(const TaskId& id) {
  Card* const card = card_of(id);
  return card ? card->task.get() : nullptr;
}

const Task* TaskTable::find(const TaskId& id) const {
  return const_cast<TaskTable*>(this)->find(id);
}

Task& TaskTable::enter(std::unique_ptr<Task> task) {
  auto owned = std::make_unique<Card>();
  Card& card = *owned;
  Task& added = *task;
  card.id = added.id;
  card.task = std::move(task);
  added.card = &card;
  // Ids that begin with the time, as ours do, come in their order: the end is asked first.
  cards_.emplace_hint(cards_.end(), card.id.view(), std::move(owned));
  const bool inserted = by_id_.insert(&card).second;
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
  journal_.note(added);
  return added;
}

Task& TaskTable::restore(TaskRecord record, const Now& now) {
  auto task = std::make_unique<Task>(std::move(record));
  take_up(*task, now);
  Task& added = enter(std::move(task));
  journal_.restored(added);
  if (!is_terminal(added.status) && added.current != 0) recover(added, now);
  return added;
}

void TaskTable::recover(Task& task, const Now& now) {
  --counts_[static_cast<std::size_t>(task.status)];
  ++counts_[static_cast<std::size_t>(TaskStatus::kUnscheduled)];
  task.status = TaskStatus::kUnscheduled;
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

void TaskTable::erase(Task& task) {
  journal_.erase(task);
  remove(*task.card);
}

void TaskTable::expire(Card& card, Duration now) {
  if (card.task)
    journal_.erase_lazily(*card.task, now);
  else if (card.past.is_stored())
    journal_.erase_lazily(card.past.sequence(), now);
  remove(card);
}

void TaskTable::remove(Card& card) {
  --counts_[static_cast<std::size_t>(card.status())];
  if (card.task) {
    Task& task = *card.task;
    forget_deadline(task);
    if (!is_terminal(task.status)) queued_bytes_ -= task.queued_bytes();
    if (task.settled_slot != Task::kNotSettled) settled_[task.settled_slot] = nullptr;
  }
  by_id_.erase(card.id.view());
  // Mostly it is among the oldest; to look for it compares ids all over the memory.
  constexpr int kOldest = 8;
  auto place = cards_.begin();
  for (int i = 0; i < kOldest && place != cards_.end() && place->second.get() != &card; ++i)
    ++place;
  if (place == cards_.end() || place->second.get() != &card) place = cards_.find(card.id.view());
  cards_.erase(place);
}

void TaskTable::settle(Task& task) {
  if (task.status == TaskStatus::kFailed || task.settled_slot != Task::kNotSettled) return;
  task.settled_slot = settled_.size();
  settled_.push_back(&task);
}

void TaskTable::compact() {
  std::string buffer;
  for (Task* task : settled_) {
    if (!task) continue;
    task->settled_slot = Task::kNotSettled;
    if (!task->watchers.empty()) continue;  // settled again when they have it
    GENAI_CHECK(task->stored.dirty_slot == Task::Stored::kClean);
    Card& card = *task->card;
    card.past = PastTask(*task, buffer);
    card.task.reset();
  }
  settled_.clear();
}

Task& TaskTable::revive(Card& card) {
  card.task = card.past.revive(card.id);
  card.task->card = &card;
  card.past = {};
  settle(*card.task);
  return *card.task;
}

void TaskTable::move(Task& task, TaskStatus to, std::string_view reason, const Now& now,
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
  if (!task.is_assigned()) task.current = 0;
  task.phase_ends = kNever;
  queued_bytes_ -= task.queued_bytes();
  append(task, reason, now, node, attempt);
  if (is_terminal(to)) {
    if (to != TaskStatus::kFailed) task.payload = {};
    task.ended_at = now.mono;
    task.ended_ms = to_ms(now.wall);
    forget_deadline(task);
  } else {
    queued_bytes_ += task.queued_bytes();
    note_deadline(task);
  }
}

void TaskTable::annotate(Task& task, std::string_view reason, const Now& now, const NodeId& node,
                         std::uint32_t attempt) {
  const bool queued = !is_terminal(task.status);
  if (queued) queued_bytes_ -= task.queued_bytes();
  append(task, reason, now, node, attempt);
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
  std::size_t bytes = 0, deadlines = 0, settled = 0;
  for (const auto& [id, card] : cards_) {
    ++counts[static_cast<std::size_t>(card->status())];
    GENAI_CHECK(id == card->id.view() && card_of(card->id) == card.get());
    GENAI_CHECK((card->task == nullptr) != card->past.empty());
    if (!card->task) continue;
    const Task* const task = card->task.get();
    GENAI_CHECK(task->id == card->id && task->card == card.get());
    if (task->settled_slot != Task::kNotSettled) {
      ++settled;
      GENAI_CHECK(settled_[task->settled_slot] == task);
      GENAI_CHECK(task->fetched && is_terminal(task->status) &&
                  task->status != TaskStatus::kFailed);
    }
    GENAI_CHECK(!task->log.empty() && task->log.last_status() == task->status);
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
      GENAI_CHECK((deadlines_.at({at, task->sequence}) == task));
    }
  }
  GENAI_CHECK(by_id_.size() == cards_.size());
  GENAI_CHECK(counts == counts_);
  GENAI_CHECK(bytes == queued_bytes_);
  GENAI_CHECK(deadlines == deadlines_.size());
  for (const Task* task : settled_) settled += task == nullptr;
  GENAI_CHECK(settled == settled_.size());
}

}  // namespace genai::dispatcher
