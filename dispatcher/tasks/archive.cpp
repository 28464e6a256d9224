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
  histories_.emplace_hint(histories_.end(), history_key(task), task.card);
}

void Archive::add(Task& task) {
  if (task.status == TaskStatus::kFailed) {
    failed_.emplace_hint(failed_.end(), key(task), &task);
    failed_bytes_ += task.archived_bytes = bytes_of(task);
    return;
  }
  if (task.fetched) return enter_history(task);
  with_result_.emplace_hint(with_result_.end(), key(task), &task);
  result_bytes_ += task.archived_bytes = bytes_of(task);
}

void Archive::acknowledge(Task& task, Duration now) {
  if (task.status == TaskStatus::kFailed) {
    task.fetched = true;
    return;
  }
  if (with_result_.erase(key(task)) == 0) return;
  result_bytes_ -= task.archived_bytes;
  task.result = {};
  task.fetched = true;
  task.fetched_at = now;
  enter_history(task);
}

template <class T>
Duration Archive::ends(const Order<T>& order, Duration retention) {
  return order.empty() ? kNever : order.begin()->first.first + retention;
}

template <class T>
T* Archive::overdue(const Order<T>& order, Duration retention, bool over_limit, Duration now) {
  if (order.empty()) return nullptr;
  const bool old = ends(order, retention) <= now;
  return old || over_limit ? order.begin()->second : nullptr;
}

Task* Archive::overdue_result(Duration now) const {
  return overdue(with_result_, config_.result_retention, result_bytes_ > config_.max_result_bytes,
                 now);
}

Card* Archive::overdue_history(Duration now) const {
  return overdue(histories_, config_.history_retention, histories_.size() > config_.max_history,
                 now);
}

Task* Archive::overdue_failed(Duration now) const {
  return overdue(failed_, config_.failed_retention, failed_bytes_ > config_.max_failed_bytes, now);
}

void Archive::remove(const Task& task) {
  if (failed_.erase(key(task))) failed_bytes_ -= task.archived_bytes;
  if (with_result_.erase(key(task))) result_bytes_ -= task.archived_bytes;
  histories_.erase(history_key(task));
}

void Archive::remove(const PastTask& task) {
  histories_.erase({task.fetched_at(), task.sequence()});
}

Duration Archive::next_deadline() const {
  return std::min({ends(with_result_, config_.result_retention),
                   ends(histories_, config_.history_retention),
                   ends(failed_, config_.failed_retention)});
}

}  // namespace genai::dispatcher
