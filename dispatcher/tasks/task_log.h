// What happened to a task, change by change, each with its reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>

#include "protocol/base/ids.h"
#include "protocol/wire/task_status.h"

namespace genai::dispatcher {

/// One change, kept with its reason.
struct LogEntry {
  std::uint64_t at_ms = 0;  // Unix time
  TaskStatus status = TaskStatus::kUnscheduled;
  std::string reason;
  NodeId node_id;  // empty: none
  std::uint32_t attempt = 0;

  friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

/// An entry where it stands.
struct LogView {
  std::uint64_t at_ms;
  TaskStatus status;
  std::string_view reason, node_id;
  std::uint32_t attempt;
};

/// The entries in their order, as bytes one after the other: there are millions of tasks, each with
/// a log that is hardly ever read. An entry costs 7 bytes, its attempt, its node id and its reason,
/// which is one byte if it is a usual one: so the log of a task that waits needs no memory of its
/// own. Not thread-safe.
class TaskLog {
 public:
  static constexpr std::size_t kLeastEntryBytes = 8;

  TaskLog() = default;
  TaskLog(std::initializer_list<LogEntry> entries);

  /// Reads the entries one after the other.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = LogEntry;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = LogEntry;

    LogEntry operator*() const;
    /// Without a copy; as long as the log stays as it is.
    LogView view() const;
    Iterator& operator++();
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    friend class TaskLog;
    explicit Iterator(const char* at) : at_(at) {}
    const char* at_;
  };
  Iterator begin() const { return Iterator(bytes_.data()); }
  Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }

  /// `reason` may have 65,535 bytes; what is beyond is cut off.
  void add(std::uint64_t at_ms, TaskStatus status, std::string_view reason, const NodeId& node = {},
           std::uint32_t attempt = 0);
  void push_back(const LogEntry& e) { add(e.at_ms, e.status, e.reason, e.node_id, e.attempt); }
  /// Takes one out; `index` < size(). O(size).
  void erase(std::size_t index);
  /// Keeps its memory.
  void clear() { bytes_.clear(); }

  /// O(size), as those below: a usual log has four.
  std::size_t size() const;
  bool empty() const { return bytes_.empty(); }
  LogEntry front() const { return *begin(); }
  LogEntry back() const { return *last(); }
  TaskStatus last_status() const { return last().view().status; }
  /// O(index). std::out_of_range.
  LogEntry at(std::size_t index) const;
  /// In memory.
  std::size_t bytes() const { return bytes_.size(); }
  /// To be kept in another place, and made of it again.
  std::string_view raw() const { return bytes_; }
  static TaskLog from_raw(std::string_view raw) {
    TaskLog log;
    log.bytes_ = raw;
    return log;
  }

  friend bool operator==(const TaskLog& a, const TaskLog& b) { return a.bytes_ == b.bytes_; }

 private:
  Iterator find(std::size_t index) const;
  Iterator last() const;

  std::string bytes_;
};

}  // namespace genai::dispatcher
