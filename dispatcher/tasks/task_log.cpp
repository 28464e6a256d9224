#include "dispatcher/tasks/task_log.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace genai::dispatcher {
namespace {

// Before the reason and the node id of each entry.
struct Head {
  std::uint64_t at_ms;
  std::uint32_t attempt;
  std::uint16_t reason_bytes;
  std::uint8_t node_bytes;
  TaskStatus status;
};
static_assert(sizeof(Head) == 16);

// Of a usual life: accepted, assigned, taken, completed.
constexpr std::size_t kUsualBytes = 127;

Head head_at(const char* at) {
  Head head;
  std::memcpy(&head, at, sizeof head);
  return head;
}

}  // namespace

TaskLog::TaskLog(std::initializer_list<LogEntry> entries) {
  for (const LogEntry& entry : entries) push_back(entry);
}

LogView TaskLog::Iterator::view() const {
  const Head head = head_at(at_);
  const char* const reason = at_ + sizeof head;
  return {head.at_ms,
          head.status,
          {reason, head.reason_bytes},
          {reason + head.reason_bytes, head.node_bytes},
          head.attempt};
}

LogEntry TaskLog::Iterator::operator*() const {
  const LogView seen = view();
  return {seen.at_ms, seen.status, std::string(seen.reason),
          seen.node_id.empty() ? NodeId() : *NodeId::parse(seen.node_id), seen.attempt};
}

TaskLog::Iterator& TaskLog::Iterator::operator++() {
  const Head head = head_at(at_);
  at_ += sizeof head + head.reason_bytes + head.node_bytes;
  return *this;
}

void TaskLog::add(std::uint64_t at_ms, TaskStatus status, std::string_view reason,
                  const NodeId& node, std::uint32_t attempt) {
  reason = reason.substr(0, UINT16_MAX);
  const std::string_view at_node = node.view();
  const Head head{at_ms, attempt, static_cast<std::uint16_t>(reason.size()),
                  static_cast<std::uint8_t>(at_node.size()), status};
  if (bytes_.empty()) bytes_.reserve(kUsualBytes);
  last_ = static_cast<std::uint32_t>(bytes_.size());
  bytes_.append(reinterpret_cast<const char*>(&head), sizeof head).append(reason).append(at_node);
  ++size_;
}

void TaskLog::erase(std::size_t index) {
  const Iterator from = find(index);
  Iterator to = from;
  ++to;
  const auto offset = static_cast<std::size_t>(from.at_ - bytes_.data());
  const auto length = static_cast<std::size_t>(to.at_ - from.at_);
  if (index + 1 != size_) {
    last_ -= static_cast<std::uint32_t>(length);
  } else {
    last_ = index == 0 ? 0 : static_cast<std::uint32_t>(find(index - 1).at_ - bytes_.data());
  }
  bytes_.erase(offset, length);
  --size_;
}

TaskLog TaskLog::from_raw(std::string_view raw) {
  TaskLog log;
  log.bytes_ = raw;
  for (Iterator it = log.begin(); it != log.end(); ++it) {
    log.last_ = static_cast<std::uint32_t>(it.at_ - log.bytes_.data());
    ++log.size_;
  }
  return log;
}

TaskStatus TaskLog::last_status() const { return head_at(bytes_.data() + last_).status; }

TaskLog::Iterator TaskLog::find(std::size_t index) const {
  Iterator it = begin();
  for (; index > 0; --index) ++it;
  return it;
}

LogEntry TaskLog::at(std::size_t index) const {
  if (index >= size_) throw std::out_of_range("TaskLog::at");
  return *find(index);
}

}  // namespace genai::dispatcher
