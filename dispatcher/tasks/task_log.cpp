#include "dispatcher/tasks/task_log.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "protocol/base/limits.h"

namespace genai::dispatcher {
namespace {

// An entry: flags and status in a byte; the time in 6 bytes, or 8; then what the flags say: the
// attempt in 4 bytes; the length of the node id in one, and the id; the reason by its number in
// one, or its length in two, and the text.
constexpr std::uint8_t kStatusBits = 0x07, kWideTime = 0x08, kHasAttempt = 0x10, kHasNode = 0x20,
                       kUsualReason = 0x40;
constexpr std::size_t kTimeBytes = 6;
constexpr std::uint64_t kMostTime = (std::uint64_t{1} << (8 * kTimeBytes)) - 1;
static_assert(kMaxTaskStatus <= kStatusBits);

// In memory only, so the numbers may change.
constexpr std::array<std::string_view, 4> kUsualReasons = {"accepted", "least loaded",
                                                           "node took it", "result"};

// Of a usual life, without its first entry.
constexpr std::size_t kUsualBytes = 79;

/// An entry is made in one piece, but for a text that is long.
class Piece {
 public:
  template <class T>
  void put(T value, std::size_t bytes = sizeof(T)) {
    std::memcpy(bytes_ + size_, &value, sizeof value);  // little-endian, as whatever this runs on
    size_ += bytes;
  }
  void put(std::string_view text) {
    std::memcpy(bytes_ + size_, text.data(), text.size());
    size_ += text.size();
  }
  std::string_view view() const { return {bytes_, size_}; }

 private:
  char bytes_[16 + limits::kMaxIdBytes + sizeof(std::uint64_t)];
  std::size_t size_ = 0;
};

/// Takes an entry apart, and ends behind it.
class Parser {
 public:
  explicit Parser(const char* at) : at_(at) {}
  LogView entry() {
    const auto flags = take<std::uint8_t>();
    LogView entry{};
    entry.status = static_cast<TaskStatus>(flags & kStatusBits);
    entry.at_ms = take<std::uint64_t>(flags & kWideTime ? 8 : kTimeBytes);
    if (flags & kHasAttempt) entry.attempt = take<std::uint32_t>();
    if (flags & kHasNode) entry.node_id = text(take<std::uint8_t>());
    entry.reason =
        flags & kUsualReason ? kUsualReasons.at(take<std::uint8_t>()) : text(take<std::uint16_t>());
    return entry;
  }
  const char* end() const { return at_; }

 private:
  template <class T>
  T take(std::size_t bytes = sizeof(T)) {
    T value{};
    std::memcpy(&value, at_, bytes);
    at_ += bytes;
    return value;
  }
  std::string_view text(std::size_t bytes) {
    const std::string_view text(at_, bytes);
    at_ += bytes;
    return text;
  }

  const char* at_;
};

}  // namespace

TaskLog::TaskLog(std::initializer_list<LogEntry> entries) {
  for (const LogEntry& entry : entries) push_back(entry);
}

LogView TaskLog::Iterator::view() const { return Parser(at_).entry(); }

LogEntry TaskLog::Iterator::operator*() const {
  const LogView seen = view();
  return {seen.at_ms, seen.status, std::string(seen.reason),
          seen.node_id.empty() ? NodeId() : *NodeId::parse(seen.node_id), seen.attempt};
}

TaskLog::Iterator& TaskLog::Iterator::operator++() {
  Parser parser(at_);
  parser.entry();
  at_ = parser.end();
  return *this;
}

void TaskLog::add(std::uint64_t at_ms, TaskStatus status, std::string_view reason,
                  const NodeId& node, std::uint32_t attempt) {
  reason = reason.substr(0, UINT16_MAX);
  const std::string_view at_node = node.view();
  const auto usual = std::ranges::find(kUsualReasons, reason);
  const bool is_usual = usual != kUsualReasons.end(), is_wide = at_ms > kMostTime;
  if (!bytes_.empty() && bytes_.capacity() < kUsualBytes) bytes_.reserve(kUsualBytes);
  Piece entry;
  entry.put(static_cast<std::uint8_t>(static_cast<std::uint8_t>(status) |
                                      (is_wide ? kWideTime : 0) | (attempt != 0 ? kHasAttempt : 0) |
                                      (at_node.empty() ? 0 : kHasNode) |
                                      (is_usual ? kUsualReason : 0)));
  entry.put(at_ms, is_wide ? 8 : kTimeBytes);
  if (attempt != 0) entry.put(attempt);
  if (!at_node.empty()) {
    entry.put(static_cast<std::uint8_t>(at_node.size()));
    entry.put(at_node);
  }
  if (is_usual)
    entry.put(static_cast<std::uint8_t>(usual - kUsualReasons.begin()));
  else
    entry.put(static_cast<std::uint16_t>(reason.size()));
  bytes_.append(entry.view());
  if (!is_usual) bytes_.append(reason);
}

void TaskLog::erase(std::size_t index) {
  const Iterator from = find(index);
  Iterator to = from;
  ++to;
  bytes_.erase(static_cast<std::size_t>(from.at_ - bytes_.data()),
               static_cast<std::size_t>(to.at_ - from.at_));
}

std::size_t TaskLog::size() const {
  return static_cast<std::size_t>(std::distance(begin(), end()));
}

TaskLog::Iterator TaskLog::find(std::size_t index) const {
  Iterator it = begin();
  for (; index > 0; --index) ++it;
  return it;
}

TaskLog::Iterator TaskLog::last() const {
  Iterator it = begin();
  for (Iterator next = it; next != end(); ++next) it = next;
  return it;
}

LogEntry TaskLog::at(std::size_t index) const {
  if (index >= size()) throw std::out_of_range("TaskLog::at");
  return *find(index);
}

}  // namespace genai::dispatcher
