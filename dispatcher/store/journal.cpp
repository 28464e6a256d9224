#include "dispatcher/store/journal.h"

#include <algorithm>
#include <unordered_set>

#include "dispatcher/tasks/result_info.h"

namespace genai::dispatcher {

using store::Batch;
using store::TaskRecord;

namespace {

Batch::Data change_of(bool stored, const Blob& data) {
  if (stored == !data.empty()) return Batch::Data::kKeep;
  return stored ? Batch::Data::kClear : Batch::Data::kSet;
}

/// From one record to another: the key and what can change, but no data.
struct CopyChanging {
  void key(const char*, std::uint64_t from, std::uint64_t& to) { to = from; }
  void fixed(const char*, const auto&, auto&) {}
  void shown(const char*, const auto&, auto&) {}
  void changing(const char*, const auto& from, auto& to) { to = from; }
  void data(const char*, const Blob&, Blob&) {}
};

/// The usual end of a task costs the store no more than this needs.
bool is_only_fetched(const Task& task) {
  return task.fetched && task.stored.log_entries != 0 && task.status == TaskStatus::kCompleted &&
         task.log.size() == task.stored.log_entries && !task.info.contains("error");
}

}  // namespace

void Journal::mark(Task& task, Duration at) {
  if (!enabled_) return;
  due_at_ = std::min(due_at_, at);
  if (task.stored.dirty_slot != Task::Stored::kClean) return;
  task.stored.dirty_slot = dirty_.size();
  dirty_.push_back(&task);
}

void Journal::drop(Task& task, Duration at) {
  if (!enabled_) return;
  due_at_ = std::min(due_at_, at);
  if (task.stored.dirty_slot != Task::Stored::kClean) dirty_[task.stored.dirty_slot] = nullptr;
  task.stored.dirty_slot = Task::Stored::kClean;
  if (task.stored.exists) erased_.push_back(task.sequence);
}

void Journal::erase_lazily(std::uint64_t sequence, Duration now) {
  if (!enabled_) return;
  due_at_ = std::min(due_at_, now + kLazyTime);
  erased_.push_back(sequence);
}

void Journal::set_stored(Task& task) {
  task.stored = {.exists = true,
                 .payload = !task.payload.empty(),
                 .result = !task.result.empty(),
                 .log_entries = is_terminal(task.status) ? task.log.size() : 0,
                 .dirty_slot = Task::Stored::kClean};
}

Batch Journal::take() {
  Batch batch;
  const auto is_new = [](const Task* task) { return task && !task->stored.exists; };
  batch.added.reserve(static_cast<std::size_t>(std::ranges::count_if(dirty_, is_new)));
  for (Task* task : dirty_) {
    if (!task) continue;
    if (is_only_fetched(*task)) {
      batch.fetched.push_back(task->sequence);
      set_stored(*task);
      continue;
    }
    if (task->stored.exists) {
      Batch::Change& change = batch.changed.emplace_back();
      change.payload = change_of(task->stored.payload, task->payload);
      change.result = change_of(task->stored.result, task->result);
      CopyChanging copy;
      TaskRecord::fields(copy, *task, change.record);
      if (change.result == Batch::Data::kSet) change.record.result = task->result;
      change.record.info = told_info(*task);
    } else {
      TaskRecord& record = batch.added.emplace_back(*task);
      record.info = told_info(*task);
    }
    set_stored(*task);
  }
  batch.erased = std::move(erased_);
  for (auto& [id, node] : nodes_) batch.nodes.push_back(std::move(node));
  dirty_.clear();
  erased_.clear();
  nodes_.clear();
  due_at_ = kNever;
  bytes_ = 0;
  return batch;
}

Batch Journal::take_frees(const Batch& stuck) {
  std::unordered_set<std::uint64_t> held;
  for (const TaskRecord& task : stuck.added) held.insert(task.sequence);
  for (const Batch::Change& change : stuck.changed) held.insert(change.record.sequence);
  held.insert(stuck.fetched.begin(), stuck.fetched.end());
  Batch batch;
  for (Task*& task : dirty_) {
    if (!task || !is_only_fetched(*task) || held.contains(task->sequence)) continue;
    batch.fetched.push_back(task->sequence);
    set_stored(*task);
    task = nullptr;
  }
  const auto free = std::ranges::partition(
      erased_, [&](std::uint64_t sequence) { return held.contains(sequence); });
  batch.erased.assign(free.begin(), free.end());
  erased_.erase(free.begin(), free.end());
  return batch;
}

}  // namespace genai::dispatcher
