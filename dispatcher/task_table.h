// All tasks, and the only place that changes a task's status: illegal changes cannot happen.
#pragma once

#include <tsl/robin_set.h>

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "dispatcher/journal.h"
#include "dispatcher/task.h"

namespace genai::dispatcher {

/// Notes in the journal what it changes. Not thread-safe. References to tasks stay valid until
/// erase().
class TaskTable {
 public:
  explicit TaskTable(Journal& journal) : journal_(journal) {}

  Task* find(const TaskId& id);
  const Task* find(const TaskId& id) const;

  /// A new Unscheduled task; its id must not be known yet. Deadlines must be set before.
  Task& insert(std::unique_ptr<Task> task, const Now& now, std::string reason = "accepted");
  /// A task of an earlier process, in whatever status; its id must not be known yet.
  Task& restore(std::unique_ptr<Task> task);
  void erase(Task& task);
  /// As erase(), but a crash may bring it back.
  void expire(Task& task, Duration now);

  /// Moves the task along an edge of DESIGN.md's drawing and logs it. An edge that is not there is
  /// our own bug and aborts the process.
  void move(Task& task, TaskStatus to, std::string reason, const Now& now, const NodeId& node = {},
            std::uint32_t attempt = 0);

  /// Logs something that leaves the status as it is.
  void annotate(Task& task, std::string reason, const Now& now, const NodeId& node = {},
                std::uint32_t attempt = 0);

  /// Sets the time at which the present phase ends (kNever: none).
  void set_phase_end(Task& task, Duration at);

  /// No later than the earliest expiry or phase end of any task that is not terminal; then call
  /// next_due().
  Duration next_deadline() const;
  /// A task whose expiry or phase end has come, or null.
  Task* next_due(Duration now);

  std::size_t count(TaskStatus status) const { return counts_[static_cast<std::size_t>(status)]; }
  std::size_t size() const { return tasks_.size(); }
  std::size_t live() const;
  std::size_t queued_bytes() const { return queued_bytes_; }

  /// In the order of their ids, from the first id after `after` on.
  using Tasks = std::map<std::string_view, std::unique_ptr<Task>>;
  Tasks::const_iterator after(const TaskId& after) const { return tasks_.upper_bound(after.str()); }
  Tasks::const_iterator end() const { return tasks_.end(); }
  Tasks::const_iterator begin() const { return tasks_.begin(); }

  void check_invariants() const;

 private:
  static Duration deadline(const Task& task);
  void note_deadline(Task& task);
  void forget_deadline(Task& task);

  Task& enter(std::unique_ptr<Task> task);
  void remove(Task& task);

  Journal& journal_;
  Tasks tasks_;  // the key views the task's own id
  // Beside the order: lookups are many.
  struct Known {
    Task* task;
    Tasks::iterator place;
  };
  static std::string_view id_of(const Known& known) { return known.task->id.str(); }
  static std::string_view id_of(std::string_view id) { return id; }
  struct Hash {
    using is_transparent = void;
    template <class T>
    std::size_t operator()(const T& one) const {
      return std::hash<std::string_view>{}(id_of(one));
    }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return id_of(a) == id_of(b);
    }
  };
  // With the hashes, so that growing it touches no task.
  tsl::robin_set<Known, Hash, Equal, std::allocator<Known>, true> by_id_;
  // By time, then sequence. A deadline that moves away is noted again only when its old time has
  // come: most tasks end before.
  std::map<std::pair<Duration, std::uint64_t>, Task*> deadlines_;
  std::array<std::size_t, 6> counts_{};
  std::size_t queued_bytes_ = 0;  // contents of tasks that are not terminal
};

}  // namespace genai::dispatcher
