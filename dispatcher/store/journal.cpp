#include "dispatcher/store/journal.h"

#include <algorithm>
#include <unordered_set>

#include "dispatcher/tasks/result_info.h"

namespace genai::dispatcher {

using store::Batch;

namespace {

Batch::Data change_of(bool stored, const Data& data) {
  if (stored == !data.empty()) return Batch::Data::kKeep;
  return stored ? Batch::Data::kClear : Batch::Data::kSet;
}

/// From one record to another: the key and what can change, but no data.
struct CopyChanging {
  void key(const char*, std::uint64_t from, std::uint64_t& to) { to = from; }
  void fixed(const char*, const auto&, auto&) {}
  void shown(const char*, const auto&, const auto&) {}
  void changing(const char*, const auto& from, auto& to) { to = from; }
  void data(const char*, const Data&, Data&) {}
};

}  // namespace

/// The usual end of a task costs the store no more than this needs.
bool Journal::is_only_fetched(const Task& task) const {
  const Stored stored = changes_.of(task.handle);
  return task.fetched && stored.log_entries != 0 && task.status == TaskStatus::kCompleted &&
         task.log.size() == stored.log_entries && !task.info.contains("error");
}

void Journal::add(const Task& task, Batch& batch) {
  const Stored stored = changes_.of(task.handle);
  if (task.payload.size() > largest_inline_ || task.result.size() > largest_inline_)
    large_.push_back({task.handle, task.sequence});
  if (!stored.exists) {
    batch.added.emplace_back(task).info = told_info(task);
    return;
  }
  Batch::Change& change = batch.changed.emplace_back();
  change.payload = change_of(stored.payload, task.payload);
  change.result = change_of(stored.result, task.result);
  CopyChanging copy;
  TaskRecord::fields(copy, static_cast<const TaskRecord&>(task), change.record);
  if (change.result == Batch::Data::kSet) change.record.result = task.result;
  change.record.info = told_info(task);
}

Batch Journal::take() {
  Batch batch;
  changes_.take_noted([&](TaskHandle handle) {
    const Task& task = *tasks_.present(handle);
    if (is_only_fetched(task))
      batch.fetched.push_back(task.sequence);
    else
      add(task, batch);
    changes_.stored(task);
    return true;
  });
  batch.erased = changes_.take_erased();
  changes_.settle();
  bytes_ = 0;
  return batch;
}

Batch Journal::take_frees(const Batch& stuck) {
  std::unordered_set<std::uint64_t> waits;
  for (const TaskRecord& task : stuck.added) waits.insert(task.sequence);
  for (const Batch::Change& change : stuck.changed) waits.insert(change.record.sequence);
  waits.insert(stuck.fetched.begin(), stuck.fetched.end());
  Batch batch;
  changes_.take_noted([&](TaskHandle handle) {
    const Task& task = *tasks_.present(handle);
    // The payload of a replay is still that of another task.
    if (task.payload.is_apart()) waits.insert(sequence_of(task.payload.key()));
    if (!is_only_fetched(task) || waits.contains(task.sequence)) return false;
    batch.fetched.push_back(task.sequence);
    changes_.stored(task);
    return true;
  });
  batch.erased = changes_.take_erased();
  const auto free = std::ranges::partition(
      batch.erased, [&](std::uint64_t sequence) { return !waits.contains(sequence); });
  changes_.put_back_erased({free.begin(), free.end()});
  batch.erased.erase(free.begin(), free.end());
  return batch;
}

bool Journal::move_apart(Data& data, DataKey key) const {
  if (data.size() <= largest_inline_ || (data.is_apart() && data.key() == key)) return false;
  data = Data::apart(key, data.size());
  return true;
}

std::vector<Task*> Journal::stored() {
  std::vector<Task*> moved;
  for (const Large& large : std::exchange(large_, {})) {
    Task* const task = tasks_.present(large.task);
    if (!task || task->sequence != large.sequence) continue;
    const Stored has = changes_.of(large.task);
    const bool payload = has.payload && move_apart(task->payload, payload_key(task->sequence));
    const bool result = has.result && move_apart(task->result, result_key(task->sequence));
    if (payload || result) moved.push_back(task);
  }
  return moved;
}

}  // namespace genai::dispatcher
