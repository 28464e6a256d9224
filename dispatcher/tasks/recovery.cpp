#include "dispatcher/tasks/recovery.h"

#include <utility>

#include "protocol/base/check.h"

namespace genai::dispatcher {

std::vector<Task*> Recovery::expire(Duration now) {
  std::vector<Task*> tasks;
  if (now < ends_at_) return tasks;
  ends_at_ = kNever;
  for (const auto& [sequence, task] : std::exchange(waiting_, {})) tasks.push_back(task);
  return tasks;
}

void Recovery::check() const {
  for (const auto& [sequence, task] : waiting_) {
    GENAI_CHECK(task->recovering && task->status == TaskStatus::kUnscheduled);
    GENAI_CHECK(task->attempt(task->current) != nullptr);
  }
}

}  // namespace genai::dispatcher
