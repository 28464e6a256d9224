// Tasks that were assigned when an earlier process stopped, until their nodes report them or had
// the time to do so.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "dispatcher/tasks/task.h"

namespace genai::dispatcher {

/// Not thread-safe. Pure.
class Recovery {
 public:
  /// Nodes have `grace` from the first broker's list on.
  explicit Recovery(Duration grace) : grace_(grace) {}

  void add(Task& task) { waiting_.emplace(task.sequence, &task); }
  /// It is recovering no more.
  void remove(const Task& task) { waiting_.erase(task.sequence); }
  /// A broker has begun to list its nodes.
  void link_up(Duration now) {
    if (!waiting_.empty() && ends_at_ == kNever) ends_at_ = now + grace_;
  }
  /// The tasks that nobody has reported in time, in the order of their acceptance.
  std::vector<Task*> expire(Duration now);
  Duration next_deadline() const { return ends_at_; }

  std::size_t size() const { return waiting_.size(); }
  void check() const;

 private:
  const Duration grace_;
  std::map<std::uint64_t, Task*> waiting_;  // by sequence
  Duration ends_at_ = kNever;
};

}  // namespace genai::dispatcher
