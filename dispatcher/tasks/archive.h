// Terminal tasks in the order they ended, or were fetched: how long results and histories are kept.
#pragma once

#include <absl/container/btree_map.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dispatcher/tasks/changes.h"
#include "dispatcher/tasks/handle.h"
#include "dispatcher/tasks/retention.h"
#include "dispatcher/tasks/task_table.h"
#include "protocol/base/log_event.h"
#include "protocol/base/metrics.h"

namespace genai::dispatcher {

/// To be forgotten: whoever knows something of it forgets that, then calls Archive::forget().
struct Forgotten {
  TaskHandle task;
  bool at_once;  // a client has asked for it, so it must not come back after a crash
};
/// The result was dropped since nobody fetched it.
struct ResultDropped {
  Task* task;
};
using ArchiveEvent = std::variant<Forgotten, ResultDropped, LogEvent>;

/// A task is archived with its result until a client acknowledged it or a limit of age or bytes is
/// reached, the oldest first; then without it until the history's limits. Failed tasks are kept
/// apart, with their payloads, until they are purged or limits of their own. From a task's end on
/// only the archive changes it. Not thread-safe. Pure.
class Archive {
 public:
  Archive(const Retention& limits, TaskTable& tasks, Changes& changes, Metrics& metrics);

  /// The task has ended, or is of an earlier process and had ended there.
  void add(Task& task);
  /// A client has its result: the data goes, its history stays for as long as if it had just ended.
  void fetched(Task& task, Duration now);
  /// No client wants the task kept any longer.
  void purge(const Task& task);
  /// Data of the task went from memory, and stands apart from now on.
  void moved_apart(Task& task);
  /// Its result stands apart and cannot be read any more.
  void lose_result(Task& task, const std::string& why, Duration now);
  /// See Forgotten.
  void forget(const Forgotten& event, Duration now);

  void expire(Duration now);
  Duration next_deadline() const;
  void take_events(std::vector<ArchiveEvent>& into) {
    into.clear();
    std::swap(into, events_);
  }

  bool has_events() const { return !events_.empty(); }

  std::size_t unacknowledged() const { return with_result_.size(); }

 private:
  using Key = std::pair<Duration, std::uint64_t>;
  struct Kept {
    Task* task;
    std::size_t bytes;   // as they were counted
    std::size_t memory;  // of these, what is in memory
  };
  /// Tasks of one kind by their end, and what they take.
  struct Order : absl::btree_map<Key, Kept> {
    std::size_t bytes = 0, memory = 0;
  };
  using Histories = absl::btree_map<Key, TaskHandle>;
  static Key key(const Task& task) { return {task.ended_at, task.sequence}; }
  static std::size_t memory_of(const Task& task);
  void drop_result(Task& task, Duration now);
  void drop_unfetched(Task& task, const std::string& why, Duration now);
  Task* overdue_result(Duration now) const;
  Task* overdue_failed(Duration now) const;
  bool has_overdue_history(Duration now) const;
  void remove(const Known& known);
  void enter_history(Task& task);
  /// When the oldest has been kept for as long as it may be.
  static Duration ends(const auto& order, Duration retention) {
    return order.empty() ? kNever : order.begin()->first.first + retention;
  }
  static void enter(Order& order, Task& task);
  /// False: it is not there.
  static bool leave(Order& order, const Task& task);

  const Retention& limits_;
  TaskTable& tasks_;
  Changes& changes_;
  Counter& delivered_total_;
  Counter& dropped_results_total_;
  Order with_result_, failed_;
  Histories histories_;  // by when they were fetched
  std::vector<ArchiveEvent> events_;
};

}  // namespace genai::dispatcher
