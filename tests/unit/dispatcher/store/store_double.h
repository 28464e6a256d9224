// A store whose disk forgets what was not synced, and fails when it is told to.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

#include "dispatcher/store/store.h"
#include "protocol/base/check.h"

namespace genai::dispatcher::test {

/// What happens to one commit.
enum class Fault {
  kNone,
  kNoSpace,        // nothing fits: nothing is written
  kShortWrite,     // the second half does not fit: what was written is taken back
  kWriteError,     // a part is written, then the disk fails
  kSyncError,      // all is written, the sync fails, and nothing has reached the disk
  kLateSyncError,  // the sync fails, but everything has reached the disk
};
inline constexpr Fault kAllFaults[] = {Fault::kNone,       Fault::kNoSpace,
                                       Fault::kShortWrite, Fault::kWriteError,
                                       Fault::kSyncError,  Fault::kLateSyncError};

class StoreDouble : public store::Store {
 public:
  using Tasks = std::map<std::uint64_t, store::TaskRecord>;

  std::string_view name() const override { return "double"; }
  bool is_durable() const override { return true; }
  store::Result<store::Loaded> load() override {
    store::Loaded loaded{epoch_, {}, {}, {}};
    for (const auto& [key, row] : measures_) loaded.measures.push_back(row);
    for (const auto& [id, node] : nodes_) loaded.nodes.push_back(node);
    for (const auto& [sequence, task] : disk_) loaded.tasks.push_back(task);
    return loaded;
  }
  store::Result<void> begin_epoch(std::uint64_t epoch) override {
    epoch_ = epoch;
    return {};
  }
  store::Result<void> commit(const store::Batch& batch) override {
    using store::Failure;
    const Fault fault = std::exchange(next_fault, Fault::kNone);
    ++commits;
    if (fault == Fault::kNoSpace || room < std::max<std::size_t>(batch.size(), 1))
      return failed(Failure::kFull);
    Tasks written = disk_;
    write(batch, written, fault == Fault::kShortWrite || fault == Fault::kWriteError);
    if (fault == Fault::kShortWrite) return failed(Failure::kFull);
    if (fault == Fault::kWriteError || fault == Fault::kSyncError) return failed(Failure::kIo);
    disk_ = std::move(written);
    for (const auto& node : batch.nodes) nodes_[node.id] = node;
    for (const auto& row : batch.measures) measures_[{row.node, row.model, row.size}] = row;
    if (room != kNoEnd) room -= batch.size();
    if (fault == Fault::kLateSyncError) return failed(Failure::kIo);
    return {};
  }
  bool is_low() const override { return false; }

  const store::TaskRecord* find(const TaskId& id) const {
    for (const auto& [sequence, task] : disk_)
      if (task.id == id) return &task;
    return nullptr;
  }
  std::size_t size() const { return disk_.size(); }
  const Tasks& tasks() const { return disk_; }
  const std::map<NodeId, store::NodeRow>& nodes() const { return nodes_; }

  Fault next_fault = Fault::kNone;
  static constexpr std::size_t kNoEnd = SIZE_MAX;
  std::size_t room = kNoEnd;  // for so many entries of batches
  std::uint64_t commits = 0;

 private:
  static store::Result<void> failed(store::Failure failure) {
    return tl::unexpected(store::StoreError{failure, "told to"});
  }
  /// Takes the batch at its word: what is added must be new, what changes must be there.
  static void write(const store::Batch& batch, Tasks& to, bool half) {
    std::size_t left = half ? batch.size() / 2 : batch.size();
    for (const auto& task : batch.added) {
      if (left-- == 0) return;
      GENAI_CHECK(to.emplace(task.sequence, task).second);
    }
    for (const auto& change : batch.changed) {
      if (left-- == 0) return;
      apply(change, to.at(change.record.sequence));
    }
    for (const std::uint64_t sequence : batch.fetched) {
      if (left-- == 0) return;
      to.at(sequence).fetched = true;
      to.at(sequence).result = {};
    }
    for (const std::uint64_t sequence : batch.erased) {
      if (left-- == 0) return;
      GENAI_CHECK(to.erase(sequence) == 1);
    }
  }
  static void apply(const store::Batch::Change& change, store::TaskRecord& task) {
    using Data = store::Batch::Data;
    store::TaskRecord next = change.record;
    next.id = task.id;
    next.digest = task.digest;
    next.spec = task.spec;
    next.created_ms = task.created_ms;
    GENAI_CHECK(change.payload != Data::kSet);
    next.payload = change.payload == Data::kKeep ? task.payload : Blob();
    if (change.result == Data::kKeep) next.result = task.result;
    if (change.result == Data::kClear) GENAI_CHECK(next.result.empty());
    task = std::move(next);
  }

  Tasks disk_;
  std::map<NodeId, store::NodeRow> nodes_;
  std::map<std::tuple<NodeId, std::string, std::uint8_t>, store::MeasureRow> measures_;
  std::uint64_t epoch_ = 0;
};

}  // namespace genai::dispatcher::test
