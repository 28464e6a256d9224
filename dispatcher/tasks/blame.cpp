#include "dispatcher/tasks/blame.h"

#include <algorithm>
#include <set>

namespace genai::dispatcher {

std::size_t nodes_failed(const TaskRecord& task) {
  std::set<NodeId> nodes;
  for (const IssuedAttempt& attempt : task.issued)
    if (attempt.failed || attempt.number == task.current) nodes.insert(attempt.node_id);
  return nodes.size();
}

Blame::Verdict Blame::judge(const Assignee& lost, std::size_t fleet, std::uint32_t failures,
                            const Now& now) {
  if (is_mass_loss(lost, fleet, now)) return {};
  ++crashes_;
  return {true, culprit_of(lost, failures)};
}

/// Whether so many nodes vanish at once that this side, or the network, is the likelier cause: more
/// of them within the window than are left.
bool Blame::is_mass_loss(const Assignee& lost, std::size_t fleet, const Now& now) {
  constexpr std::size_t kLeast = 3;
  while (!losses_.empty() && losses_.front().first + window_ <= now.mono) {
    lost_of_late_.erase(losses_.front().second);
    losses_.pop_front();
  }
  const bool is_explained = std::ranges::any_of(lost.tasks, [&](const Task* task) {
    return lost.is_executing(*task) && follows_loss(*task);
  });
  if (is_explained) return false;
  if (lost_of_late_.insert(lost.node_id).second) losses_.emplace_back(now.mono, lost.node_id);
  return losses_.size() >= kLeast && losses_.size() >= fleet;
}

/// Whether the task was executed by another node that was lost within the window. Then the task
/// goes from node to node, and it is not a network that fails for all of them.
bool Blame::follows_loss(const TaskRecord& task) const {
  return std::ranges::any_of(task.issued, [&](const IssuedAttempt& attempt) {
    return attempt.failed && lost_of_late_.contains(attempt.node_id);
  });
}

/// Of several dangerous tasks the last one: the node began it last, and has lived with the others
/// for longer.
Task* Blame::culprit_of(const Assignee& lost, std::uint32_t failures) const {
  Task* culprit = nullptr;
  for (Task* task : lost.tasks)
    if (lost.is_executing(*task) && is_dangerous(*task, failures)) culprit = task;
  return culprit;
}

/// Whether nodes are lost because of the task: several were lost while they executed it, and those
/// are at least half of all losses since it was accepted. If it was always one and the same node,
/// the node may be to blame: unless it did other work in between.
bool Blame::is_dangerous(const Task& task, std::uint32_t failures) const {
  const std::uint32_t losses = task.losses + 1;
  const bool only_here = nodes_failed(task) < 2;
  return losses >= limits_.max_crashes && !(only_here && failures > 0) &&
         2 * std::uint64_t{losses} >=
             crashes_ - std::min<std::uint64_t>(task.crashes_before, crashes_);
}

}  // namespace genai::dispatcher
