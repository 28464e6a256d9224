// What a store keeps of tasks, and one commit's worth of changes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dispatcher/digest.h"
#include "dispatcher/task.h"
#include "protocol/blob.h"
#include "protocol/ids.h"
#include "protocol/messages.h"
#include "protocol/value.h"

namespace genai::dispatcher::store {

/// A task as it survives the process. Times are Unix milliseconds. `payload` and `result` share
/// memory with the live task.
struct TaskRecord {
  std::uint64_t sequence = 0;  // unique; the key
  // Never change:
  TaskId id;
  Digest digest{};
  TaskSpec spec;
  std::uint64_t created_ms = 0;
  // Change:
  TaskStatus status = TaskStatus::kUnscheduled;
  std::uint32_t current = 0;  // the attempt it is assigned with; 0: none
  std::uint32_t faults = 0, losses = 0, drains = 0;
  std::vector<IssuedAttempt> issued;
  std::vector<LogEntry> log;
  ErrorCode code = ErrorCode::kOk;
  ValueMap info;
  std::uint64_t ended_ms = 0;  // 0: not terminal
  bool fetched = false;
  Blob payload, result;
};

/// What is known of a node beyond its sessions.
struct NodeRow {
  NodeId id;
  bool drained = false;  // by an operator

  friend bool operator==(const NodeRow&, const NodeRow&) = default;
};

/// The changes of one commit: all of them or none. A task occurs once at most.
struct Batch {
  enum class Data : std::uint8_t { kKeep, kSet, kClear };
  struct Change {
    TaskRecord record;  // only what can change need be filled in
    Data payload = Data::kKeep;
    Data result = Data::kKeep;
  };
  std::vector<TaskRecord> added;
  std::vector<Change> changed;
  std::vector<std::uint64_t> fetched;  // sequences: a client has the result, so its data goes
  std::vector<std::uint64_t> erased;   // sequences
  std::vector<NodeRow> nodes;

  std::size_t size() const {
    return added.size() + changed.size() + fetched.size() + erased.size() + nodes.size();
  }
  bool empty() const { return size() == 0; }
};

}  // namespace genai::dispatcher::store
