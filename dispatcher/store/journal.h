// Makes the batches of commits: of what has changed, how each task is now.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "dispatcher/store/batch.h"
#include "dispatcher/tasks/changes.h"
#include "dispatcher/tasks/task_table.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// Not thread-safe. Pure.
class Journal {
 public:
  Journal(Changes& changes, TaskTable& tasks) : changes_(changes), tasks_(tasks) {}

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

 private:
  bool is_only_fetched(const Task& task) const;
  void add(const Task& task, store::Batch& batch) const;

  Changes& changes_;
  TaskTable& tasks_;
  std::size_t bytes_ = 0;
};

}  // namespace genai::dispatcher
