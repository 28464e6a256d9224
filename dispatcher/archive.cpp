#include "dispatcher/archive.h"

#include <algorithm>

namespace genai::dispatcher {
namespace {

// A result of no bytes still costs its task's record: without this, failures nobody fetches would
// not count against any limit.
constexpr std::size_t kRecordBytes = 1024;

}  // namespace

std::size_t Archive::bytes_of(const Task& task) {
  return task.result.size() + task.content_bytes() + kRecordBytes;
}

void Archive::add(Task& task) {
  if (task.status == TaskStatus::kFailed) {
    failed_.emplace(key(task), &task);
    failed_bytes_ += bytes_of(task);
    return;
  }
  if (task.fetched) {
    histories_.emplace(key(task), &task);
    return;
  }
  with_result_.emplace(key(task), &task);
  result_bytes_ += bytes_of(task);
}

void Archive::acknowledge(Task& task) {
  if (task.status == TaskStatus::kFailed) {
    task.fetched = true;
    return;
  }
  if (with_result_.erase(key(task)) == 0) return;
  result_bytes_ -= bytes_of(task);
  task.result = {};
  task.fetched = true;
  histories_.emplace(key(task), &task);
}

Task* Archive::overdue_result(Duration now) const {
  if (with_result_.empty()) return nullptr;
  Task* oldest = with_result_.begin()->second;
  const bool old = oldest->ended_at + config_.result_retention <= now;
  return old || result_bytes_ > config_.max_result_bytes ? oldest : nullptr;
}

Task* Archive::overdue_history(Duration now) const {
  if (histories_.empty()) return nullptr;
  Task* oldest = histories_.begin()->second;
  const bool old = oldest->ended_at + config_.history_retention <= now;
  return old || histories_.size() > config_.max_history ? oldest : nullptr;
}

Task* Archive::overdue_failed(Duration now) const {
  if (failed_.empty()) return nullptr;
  Task* oldest = failed_.begin()->second;
  const bool old = oldest->ended_at + config_.failed_retention <= now;
  return old || failed_bytes_ > config_.max_failed_bytes ? oldest : nullptr;
}

void Archive::remove(Task& task) {
  if (failed_.erase(key(task))) failed_bytes_ -= bytes_of(task);
  if (with_result_.erase(key(task))) result_bytes_ -= bytes_of(task);
  histories_.erase(key(task));
}

Duration Archive::next_deadline() const {
  Duration at = kNever;
  if (!with_result_.empty()) at = with_result_.begin()->second->ended_at + config_.result_retention;
  if (!histories_.empty())
    at = std::min(at, histories_.begin()->second->ended_at + config_.history_retention);
  if (!failed_.empty())
    at = std::min(at, failed_.begin()->second->ended_at + config_.failed_retention);
  return at;
}

}  // namespace genai::dispatcher
