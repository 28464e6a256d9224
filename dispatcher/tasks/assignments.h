// What each session of a node has been given: its tasks, and the attempts that it was told to
// abort.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dispatcher/tasks/task.h"
#include "protocol/wire/assignment_ref.h"

namespace genai::dispatcher {

/// Names the present attempt of a task that is assigned.
inline AssignmentRef ref_of(const TaskRecord& task) {
  return {task.id, task.current, task.attempt(task.current)->epoch};
}

/// A session of a node, as far as tasks are concerned.
struct Assignee {
  SessionId session;
  NodeId node_id;
  std::uint32_t slots = 1;

  /// Scheduled or Sent here, in the order of assignment: a node works on the first `slots`.
  std::vector<Task*> tasks;
  /// An attempt that was aborted here and is not acknowledged yet: it still occupies the node.
  struct Abort {
    ErrorCode code;
    Duration resend_at;
  };
  std::map<AssignmentRef, Abort> aborts;

  std::size_t outstanding() const { return tasks.size() + aborts.size(); }
  /// Whether the node works on the task now, and does not merely have it waiting.
  bool is_executing(const Task& task) const;
};

/// Not thread-safe. Pure. References stay valid until close().
class Assignments {
 public:
  Assignee* find(const SessionId& session);
  /// Enters a session that is new.
  Assignee& open(const SessionId& session);
  /// Its tasks must have been taken away before.
  void close(const SessionId& session);

  static void give(Assignee& assignee, Task& task) { assignee.tasks.push_back(&task); }
  static void take(Assignee& assignee, const Task& task);

  /// False: it is being aborted already.
  bool abort(Assignee& assignee, const AssignmentRef& ref, ErrorCode code, Duration resend_at);
  /// Calls `resend(assignee, ref, code)` for each abort that is overdue; it is due again after
  /// `interval`.
  void resend_aborts(
      Duration now, Duration interval,
      const std::function<void(const Assignee&, const AssignmentRef&, ErrorCode)>& resend);
  Duration next_deadline() const { return resends_.empty() ? kNever : resends_.begin()->first; }

  using Sessions = std::unordered_map<SessionId, Assignee>;
  const Sessions& sessions() const { return sessions_; }
  std::size_t size() const { return sessions_.size(); }
  /// Aborts when something is wrong. O(sessions and their tasks).
  void check() const;

 private:
  Sessions sessions_;
  std::multimap<Duration, std::pair<SessionId, AssignmentRef>> resends_;
};

}  // namespace genai::dispatcher
