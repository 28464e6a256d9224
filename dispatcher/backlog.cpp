#include "dispatcher/backlog.h"

#include "dispatcher/check.h"

namespace genai::dispatcher {

void Backlog::add(Task& task) {
  Class& group = classes_[task.spec.needs];
  if (group.queue.empty())
    group.needs = task.spec.needs;
  else
    by_age_.erase(group.queue.begin()->first);
  const bool inserted = group.queue.emplace(task.sequence, &task).second;
  GENAI_CHECK(inserted);
  by_age_.emplace(group.queue.begin()->first, &group);
  ++size_;
}

void Backlog::remove(Task& task) {
  auto it = classes_.find(task.spec.needs);
  GENAI_CHECK(it != classes_.end());
  Class& group = it->second;
  by_age_.erase(group.queue.begin()->first);
  const bool erased = group.queue.erase(task.sequence) == 1;
  GENAI_CHECK(erased);
  if (group.queue.empty())
    classes_.erase(it);
  else
    by_age_.emplace(group.queue.begin()->first, &group);
  --size_;
}

void Backlog::check_invariants() const {
  std::size_t size = 0;
  GENAI_CHECK(classes_.size() == by_age_.size());
  for (const auto& [needs, group] : classes_) {
    GENAI_CHECK(!group.queue.empty() && group.needs == needs);
    GENAI_CHECK(by_age_.at(group.queue.begin()->first) == &group);
    for (const auto& [sequence, task] : group.queue) {
      GENAI_CHECK(task->status == TaskStatus::kUnscheduled && task->sequence == sequence);
      ++size;
    }
  }
  GENAI_CHECK(size == size_);
}

}  // namespace genai::dispatcher
