// Who is to blame when nodes are lost: the network, the node, or a task that kills nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_set>
#include <utility>

#include "dispatcher/tasks/assignments.h"
#include "dispatcher/tasks/limits.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// Not thread-safe. Pure.
class Blame {
 public:
  /// `window`: nodes that are lost within it may be lost for one reason.
  Blame(const AttemptLimits& limits, Duration window) : limits_(limits), window_(window) {}

  struct Verdict {
    bool is_crash = false;    // of this node alone
    Task* culprit = nullptr;  // the task that this and earlier nodes were lost for
  };
  /// The node fell silent. `fleet`: sessions that are there, this one included. `failures`:
  /// attempts in a row that did not complete at the node.
  Verdict judge(const Assignee& lost, std::size_t fleet, std::uint32_t failures, const Now& now);

  /// Nodes lost on their own until now. A task remembers how many it were when it was accepted.
  std::uint64_t crashes() const { return crashes_; }

 private:
  bool is_mass_loss(const Assignee& lost, std::size_t fleet, const Now& now);
  bool follows_loss(const TaskRecord& task) const;
  Task* culprit_of(const Assignee& lost, std::uint32_t failures) const;
  bool is_dangerous(const Task& task, std::uint32_t failures) const;

  const AttemptLimits& limits_;
  const Duration window_;
  std::uint64_t crashes_ = 0;
  std::deque<std::pair<Duration, NodeId>> losses_;  // within the window, each node once
  std::unordered_set<NodeId> lost_of_late_;         // the same
};

/// Different nodes on which attempts failed, that of the present attempt among them.
std::size_t nodes_failed(const TaskRecord& task);

}  // namespace genai::dispatcher
