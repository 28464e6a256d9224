// Unscheduled tasks, kept centrally. Tasks with equal requirements share a class, so one look at a
// class says whether any of its tasks can be placed now, however long the queue is.
#pragma once

#include <cstddef>
#include <map>
#include <memory>

#include "dispatcher/task.h"

namespace genai::dispatcher {

/// Order: by acceptance, over all classes. A requeued task was accepted before those that never
/// left the backlog, so it is at their head without any special case. Not thread-safe.
class Backlog {
 public:
  using Queue = std::map<std::uint64_t, Task*>;  // by sequence
  struct Class {
    Requirements needs;
    Queue queue;  // never empty
  };

  void add(Task& task);
  void remove(Task& task);  // must be in it

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Classes in the order of their oldest task.
  const std::map<std::uint64_t, Class*>& by_age() const { return by_age_; }

  void check_invariants() const;

 private:
  std::map<Requirements, Class> classes_;
  std::map<std::uint64_t, Class*> by_age_;  // by the sequence of the class's oldest task
  std::size_t size_ = 0;
};

}  // namespace genai::dispatcher
