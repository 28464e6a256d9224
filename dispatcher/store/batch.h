// What a store keeps of tasks, and one commit's worth of changes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dispatcher/placement/node_row.h"
#include "dispatcher/tasks/record.h"

namespace genai::dispatcher::store {

using dispatcher::TaskRecord;

/// The changes of one commit: all of them or none. A task occurs once at most.
struct Batch {
  enum class Data : std::uint8_t { kKeep, kSet, kClear };
  struct Change {
    TaskRecord record;  // only what can change need be filled in
    Data payload = Data::kKeep;
    Data result = Data::kKeep;
  };
  /// A payload that stands apart is that of another task, which was replayed: a store gives it to
  /// both.
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
