// What a store keeps of tasks, and one commit's worth of changes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dispatcher/tasks/digest.h"
#include "dispatcher/tasks/task.h"
#include "protocol/base/blob.h"
#include "protocol/base/ids.h"
#include "protocol/base/value.h"
#include "protocol/wire/messages.h"

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
  int priority = -1;  // -1: as the spec says
  std::vector<IssuedAttempt> issued;
  TaskLog log;
  ErrorCode code = ErrorCode::kOk;
  ValueMap info;
  std::uint64_t ended_ms = 0;  // 0: not terminal
  bool fetched = false;
  Blob payload, result;
};

/// What is known of a node beyond its sessions.
struct NodeRow {
  NodeId id;
  bool drained = false;                                             // by an operator
  std::uint64_t assigned = 0, completed = 0, failed = 0, lost = 0;  // attempts, over all sessions

  friend bool operator==(const NodeRow&, const NodeRow&) = default;
};

/// What was measured of a node with tasks of one model and size (PrivateMetaInfo). Trends are of
/// ln(seconds). All rows of one node and model have the same figures but those of `run`.
struct MeasureRow {
  NodeId node;
  std::string model;      // empty: of tasks that ask for none
  std::uint8_t size = 0;  // SizeClass
  double runs = 0, run_mean = 0, run_variance = 0;
  double loads = 0, load_mean = 0, load_variance = 0;
  double good = 0, bad = 0;  // outcomes, old ones counting less
  std::uint64_t lost = 0, updated_ms = 0;

  friend bool operator==(const MeasureRow&, const MeasureRow&) = default;
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
  std::vector<MeasureRow> measures;

  std::size_t size() const {
    return added.size() + changed.size() + fetched.size() + erased.size() + nodes.size() +
           measures.size();
  }
  bool empty() const { return size() == 0; }
};

}  // namespace genai::dispatcher::store
