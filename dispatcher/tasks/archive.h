// Terminal tasks in the order they ended, or were fetched: how long results and histories are kept.
#pragma once

#include <absl/container/btree_map.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "dispatcher/tasks/handle.h"
#include "dispatcher/tasks/retention.h"
#include "dispatcher/tasks/task_table.h"

namespace genai::dispatcher {

/// A task is archived with its result until a client acknowledged it or a limit of age or bytes is
/// reached, the oldest first; then without it until the history's limits. Failed tasks are kept
/// apart, with their payloads, until they are purged or limits of their own. Not thread-safe.
class Archive {
 public:
  explicit Archive(const Retention& limits) : limits_(limits) {}

  void add(Task& task);
  /// A client has it, or nobody will: its data goes, its history stays, for as long as if it had
  /// just ended.
  void acknowledge(Task& task, Duration now);
  /// A result that nobody fetched must go, or null. The caller notes it, then acknowledges it.
  Task* overdue_result(Duration now) const;
  /// A history that must go, if any. The caller calls remove() and erases the
  /// task.
  std::optional<TaskHandle> overdue_history(Duration now) const;
  /// A Failed task that must go, or null. As above.
  Task* overdue_failed(Duration now) const;
  void remove(const Known& known);

  Duration next_deadline() const;
  std::size_t result_bytes() const { return result_bytes_; }
  std::size_t failed_bytes() const { return failed_bytes_; }
  std::size_t unacknowledged() const { return with_result_.size(); }

 private:
  using Key = std::pair<Duration, std::uint64_t>;
  struct Kept {
    Task* task;
    std::size_t bytes;  // as they were counted
  };
  using Order = absl::btree_map<Key, Kept>;
  using Histories = absl::btree_map<Key, TaskHandle>;
  static Key key(const Task& task) { return {task.ended_at, task.sequence}; }
  static std::size_t bytes_of(const Task& task);
  void enter_history(Task& task);
  /// When the oldest has been kept for as long as it may be.
  static Duration ends(const auto& order, Duration retention) {
    return order.empty() ? kNever : order.begin()->first.first + retention;
  }
  static void enter(Order& order, std::size_t& bytes, Task& task);
  /// False: it is not there.
  static bool leave(Order& order, std::size_t& bytes, const Task& task);

  const Retention& limits_;
  Order with_result_, failed_;
  Histories histories_;           // by when they were fetched
  std::size_t result_bytes_ = 0;  // of with_result_
  std::size_t failed_bytes_ = 0;
};

}  // namespace genai::dispatcher
