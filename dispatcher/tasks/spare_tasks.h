// Tasks that were packed away, kept for their memory.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "dispatcher/tasks/task.h"

namespace genai::dispatcher {

/// A new task takes over the memory of one that is past, with that of its attempts and its log:
/// three allocations less for each task. Not thread-safe.
class SpareTasks {
 public:
  /// Returns a task like a new one.
  std::unique_ptr<Task> take() {
    if (spares_.empty()) return std::make_unique<Task>();
    std::unique_ptr<Task> task = std::move(spares_.back());
    spares_.pop_back();
    return task;
  }
  /// One that has had an unusual life holds too much memory to be kept.
  void put(std::unique_ptr<Task> task) {
    if (spares_.size() == kMost || task->issued.capacity() > 1 || task->log.bytes() > kMostLogBytes)
      return;
    std::vector<IssuedAttempt> issued = std::move(task->issued);
    TaskLog log = std::move(task->log);
    issued.clear();
    log.clear();
    *task = Task();
    task->issued = std::move(issued);
    task->log = std::move(log);
    spares_.push_back(std::move(task));
  }

 private:
  static constexpr std::size_t kMost = 1024, kMostLogBytes = 256;
  std::vector<std::unique_ptr<Task>> spares_;
};

}  // namespace genai::dispatcher
