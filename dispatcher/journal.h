// What has changed since the last commit was begun: tasks are noted as they change and written as
// they are when the batch is taken, so that many changes of a task between two commits cost one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "dispatcher/store/record.h"
#include "dispatcher/task.h"

namespace genai::dispatcher {

/// Not thread-safe. Pure.
class Journal {
 public:
  /// One that is not enabled notes nothing.
  explicit Journal(bool enabled) : enabled_(enabled) {}

  /// The task is new or has changed.
  void note(Task& task);
  void note(store::NodeRow node) {
    if (enabled_) nodes_.push_back(std::move(node));
  }
  /// The task is in the store already.
  void restored(Task& task) { set_stored(task); }
  /// The task is about to be erased.
  void erase(Task& task);

  bool empty() const { return dirty_.empty() && erased_.empty() && nodes_.empty(); }
  /// Everything since the last call.
  store::Batch take(const Now& now);

 private:
  static void set_stored(Task& task);
  static store::TaskRecord changing_part(const Task& task, const Now& now);

  bool enabled_;
  std::vector<Task*> dirty_;  // null: erased since
  std::vector<std::uint64_t> erased_;
  std::vector<store::NodeRow> nodes_;
};

}  // namespace genai::dispatcher
