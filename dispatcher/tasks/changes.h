// Which tasks have changed since the last commit was begun, and what of each is
// stored: tasks are noted as they change and written as they are then, so that
// many changes between two commits cost one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dispatcher/tasks/handle.h"
#include "dispatcher/tasks/task.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

inline constexpr Duration kLazyTime = from_ms(500);

/// What the store has of a task.
struct Stored {
  bool exists = false;
  bool payload = false, result = false;
  std::uint32_t log_entries = 0;  // of a terminal task; more since: it was annotated
};

/// Not thread-safe. Pure.
class Changes {
 public:
  /// One that is not enabled notes nothing.
  explicit Changes(bool enabled) : enabled_(enabled) {}

  /// The task is new or has changed: a commit is due.
  void note(const Task& task) { mark(task.handle, kAtOnce); }
  /// It has changed in a way that nobody waits for and that a crash may undo
  /// (its result would be delivered once more): it goes with the next commit
  /// that is due, or after kLazyTime.
  void note_lazily(const Task& task, Duration now) { mark(task.handle, now + kLazyTime); }
  /// The task is about to be forgotten, on a client's word. Else lazily, as
  /// above.
  void erase(TaskHandle task, std::uint64_t sequence) { drop(task, sequence, kAtOnce); }
  void erase_lazily(TaskHandle task, std::uint64_t sequence, Duration now) {
    drop(task, sequence, now + kLazyTime);
  }

  /// The store has the task as it is now.
  void stored(const Task& task);
  Stored of(TaskHandle task) const {
    const Row* const row = rows_.find(task);
    return row ? row->stored : Stored{};
  }
  bool is_noted(TaskHandle task) const {
    const Row* const row = rows_.find(task);
    return row && row->slot != kNone;
  }

  bool empty() const { return noted_ == 0 && erased_.empty(); }
  bool enabled() const { return enabled_; }
  /// When the earliest change becomes due.
  Duration due_at() const { return due_at_; }

  /// Calls `write` with the handle of each task that is noted, in the order in
  /// which they were noted first; those for which it returns true are noted no
  /// more.
  template <class Write>
  void take_noted(Write write);
  /// The sequences of stored tasks that are to be erased; noted no more.
  std::vector<std::uint64_t> take_erased() { return std::exchange(erased_, {}); }
  void put_back_erased(std::vector<std::uint64_t> sequences) { erased_ = std::move(sequences); }
  /// All was taken: nothing is due.
  void settle() { due_at_ = kNever; }

 private:
  static constexpr Duration kAtOnce{0};
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Row {
    Stored stored;
    std::uint32_t slot = kNone;  // in order_
  };

  void mark(TaskHandle task, Duration at);
  void drop(TaskHandle task, std::uint64_t sequence, Duration at);

  bool enabled_;
  Duration due_at_ = kNever;
  ByHandle<Row> rows_;
  std::vector<TaskHandle> order_;  // kNone: gone since
  std::size_t noted_ = 0;
  std::vector<std::uint64_t> erased_;
};

template <class Write>
void Changes::take_noted(Write write) {
  std::size_t left = 0;
  for (const TaskHandle task : order_) {
    if (task == kNone) continue;
    rows_[task].slot = kNone;
    if (write(task)) {
      --noted_;
      continue;
    }
    rows_[task].slot = static_cast<std::uint32_t>(left);
    order_[left++] = task;
  }
  order_.resize(left);
}

}  // namespace genai::dispatcher
