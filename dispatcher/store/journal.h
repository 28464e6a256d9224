// Makes the batches of commits: of what has changed, how each task is now.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "dispatcher/store/batch.h"
#include "dispatcher/tasks/changes.h"
#include "dispatcher/tasks/task_table.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// Not thread-safe. Pure.
class Journal {
 public:
  /// `largest_inline`: of the store.
  Journal(Changes& changes, TaskTable& tasks, std::size_t largest_inline)
      : changes_(changes), tasks_(tasks), largest_inline_(largest_inline) {}

  /// A payload or result of so many bytes is to be written.
  void count_bytes(std::size_t bytes) { bytes_ += changes_.enabled() ? bytes : 0; }

  /// When lazy changes become due.
  Duration next_deadline() const { return changes_.due_at(); }
  bool empty() const { return changes_.empty(); }
  /// Counted since take().
  std::size_t bytes() const { return bytes_; }
  /// Everything since the last call.
  store::Batch take();
  /// Of the changes noted, returns those that only free room. Call it while
  /// `stuck`, a batch that was taken before, does not fit on the disk; the
  /// tasks of `stuck` are left out.
  store::Batch take_frees(const store::Batch& stuck);

  /// All that was taken is on the disk: what stands apart there goes from memory. Returns the tasks
  /// that this has changed.
  std::vector<Task*> stored();

 private:
  bool is_only_fetched(const Task& task) const;
  void add(const Task& task, store::Batch& batch);
  bool move_apart(Data& data, DataKey key) const;

  /// A task that was taken with large data.
  struct Large {
    TaskHandle task;
    std::uint64_t sequence;
  };

  Changes& changes_;
  TaskTable& tasks_;
  const std::size_t largest_inline_;
  std::size_t bytes_ = 0;
  std::vector<Large> large_;  // since stored()
};

}  // namespace genai::dispatcher
