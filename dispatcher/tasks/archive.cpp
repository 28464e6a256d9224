#include "dispatcher/tasks/archive.h"

#include <algorithm>

#include "dispatcher/tasks/result_info.h"

namespace genai::dispatcher {
namespace {

// A result of no bytes still costs its task's record: without this, failures nobody fetches would
// not count against any limit.
constexpr std::size_t kRecordBytes = 1024;

}  // namespace

std::size_t Archive::bytes_of(const Task& task) {
  return task.result.size() + task.content_bytes() + memory_of(task.info) + task.log.bytes() +
         task.issued.size() * sizeof(IssuedAttempt) + kRecordBytes;
}

// To each order the end is where to look first: what ends now is the last of it.

void Archive::enter_history(Task& task) {
  keep_known_info(task.info);
  histories_.emplace_hint(histories_.end(), Key{task.fetched_at, task.sequence}, task.handle);
}

void Archive::enter(Order& order, std::size_t& bytes, Task& task) {
  const std::size_t added = bytes_of(task);
  order.emplace_hint(order.end(), key(task), Kept{&task, added});
  bytes += added;
}

bool Archive::leave(Order& order, std::size_t& bytes, const Task& task) {
  const auto it = order.find(key(task));
  if (it == order.end()) return false;
  bytes -= it->second.bytes;
  order.erase(it);
  return true;
}

void Archive::add(Task& task) {
  if (task.status == TaskStatus::kFailed) return enter(failed_, failed_bytes_, task);
  if (task.fetched) return enter_history(task);
  enter(with_result_, result_bytes_, task);
}

void Archive::acknowledge(Task& task, Duration now) {
  if (task.status == TaskStatus::kFailed) {
    task.fetched = true;
    return;
  }
  if (!leave(with_result_, result_bytes_, task)) return;
  task.result = {};
  task.fetched = true;
  task.fetched_at = now;
  enter_history(task);
}

Task* Archive::overdue_result(Duration now) const {
  const bool is_old = ends(with_result_, limits_.result_retention) <= now;
  const bool is_over = !with_result_.empty() && result_bytes_ > limits_.max_result_bytes;
  return is_old || is_over ? with_result_.begin()->second.task : nullptr;
}

std::optional<TaskHandle> Archive::overdue_history(Duration now) const {
  const bool is_old = ends(histories_, limits_.history_retention) <= now;
  if (!is_old && histories_.size() <= limits_.max_history) return std::nullopt;
  return histories_.begin()->second;
}

Task* Archive::overdue_failed(Duration now) const {
  const bool is_old = ends(failed_, limits_.failed_retention) <= now;
  const bool is_over = !failed_.empty() && failed_bytes_ > limits_.max_failed_bytes;
  return is_old || is_over ? failed_.begin()->second.task : nullptr;
}

void Archive::remove(const Known& known) {
  if (const Task* const task = known.present()) {
    leave(failed_, failed_bytes_, *task);
    leave(with_result_, result_bytes_, *task);
    histories_.erase({task->fetched_at, task->sequence});
  } else {
    histories_.erase({known.past().fetched_at(), known.past().sequence()});
  }
}

Duration Archive::next_deadline() const {
  return std::min({ends(with_result_, limits_.result_retention),
                   ends(histories_, limits_.history_retention),
                   ends(failed_, limits_.failed_retention)});
}

}  // namespace genai::dispatcher
