#include "dispatcher/tasks/changes.h"

#include <utility>

namespace genai::dispatcher {

void Changes::mark(TaskHandle task, Duration at) {
  if (!enabled_) return;
  due_at_ = std::min(due_at_, at);
  Row& row = rows_[task];
  if (row.slot != kNone) return;
  row.slot = static_cast<std::uint32_t>(order_.size());
  order_.push_back(task);
  ++noted_;
}

void Changes::drop(TaskHandle task, std::uint64_t sequence, Duration at) {
  if (!enabled_) return;
  due_at_ = std::min(due_at_, at);
  Row& row = rows_[task];
  if (row.slot != kNone) {
    order_[row.slot] = kNone;
    --noted_;
  }
  if (row.stored.exists) erased_.push_back(sequence);
  row = {};
}

void Changes::stored(const Task& task) {
  if (!enabled_) return;
  rows_[task.handle].stored = {
      .exists = true,
      .payload = !task.payload.empty(),
      .result = !task.result.empty(),
      .log_entries = is_terminal(task.status) ? static_cast<std::uint32_t>(task.log.size()) : 0};
}

}  // namespace genai::dispatcher
