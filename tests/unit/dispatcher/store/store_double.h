// A store whose disk forgets what was not synced, and fails when it is told to. It stands for the
// disk, too: all who have a lease of it, or had, use this one object.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

#include "dispatcher/store/parts.h"
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
  store::Result<store::Lease> acquire(std::string_view, std::uint64_t least_epoch) override {
    if (held_) return failed(store::Failure::kInUse);
    held_ = true;
    epoch_ = std::max(epoch_ + 1, least_epoch);
    last_ = disk_.empty() ? 0 : disk_.rbegin()->first;
    return store::Lease{epoch_};
  }
  /// The lease runs out: its owner is gone, or was taken for dead.
  void expire() { held_ = false; }
  store::Result<store::Lease> renew(const store::Lease& lease, std::uint64_t least_epoch) override {
    if (!holds(lease)) return failed(store::Failure::kFenced);
    epoch_ = std::max(epoch_, least_epoch);
    return store::Lease{epoch_};
  }
  bool holds(const store::Lease& lease) const { return lease.epoch == epoch_; }
  store::Result<store::Page> load(const store::Lease& lease, const store::Cursor& from) override {
    if (!holds(lease)) return failed(store::Failure::kFenced);
    store::Page page;
    if (from.after == 0) {
      for (const auto& [key, row] : measures_) page.measures.push_back(row);
      for (const auto& [id, node] : nodes_) page.nodes.push_back(node);
    }
    for (auto it = disk_.upper_bound(from.after); it != disk_.upper_bound(last_); ++it) {
      if (page.tasks.size() == page_tasks) {
        page.next = store::Cursor{page.tasks.back().sequence};
        break;
      }
      page.tasks.push_back(it->second);
      move_apart(page.tasks.back());
    }
    return page;
  }
  store::Result<void> commit(const store::Lease& lease, store::Batch& batch) override {
    share_payloads(batch);
    const auto write = [&](const store::Batch& part) { return commit_part(lease, part); };
    return next_fault == Fault::kNone ? store::commit_in_parts(batch, write) : write(batch);
  }
  std::size_t largest_inline() const override { return inline_bytes; }
  std::unique_ptr<store::DataReader> reader() override { return std::make_unique<Reader>(*this); }
  /// What a reader would get now.
  store::Result<Blob> read(DataKey key, std::uint64_t offset, std::uint64_t bytes) const {
    const auto it = disk_.find(sequence_of(key));
    if (it == disk_.end()) return failed(store::Failure::kDamaged);
    const Data& data = key % 2 ? it->second.result : it->second.payload;
    if (data.empty()) return failed(store::Failure::kDamaged);
    GENAI_CHECK(data.size() > inline_bytes && offset + bytes <= data.size());
    return data.bytes().sub(data.view().substr(offset, bytes));
  }
  store::Room room() const override { return low ? store::Room::kLow : store::Room::kEnough; }

  const store::TaskRecord* find(const TaskId& id) const {
    for (const auto& [sequence, task] : disk_)
      if (task.id == id) return &task;
    return nullptr;
  }
  std::size_t size() const { return disk_.size(); }
  const Tasks& tasks() const { return disk_; }
  const std::map<NodeId, store::NodeRow>& nodes() const { return nodes_; }
  using Measures = std::map<std::tuple<NodeId, std::string, std::uint8_t>, store::MeasureRow>;
  const Measures& measures() const { return measures_; }

  Fault next_fault = Fault::kNone;
  static constexpr std::size_t kNoEnd = SIZE_MAX;
  std::size_t space = kNoEnd;  // for so many entries of batches
  bool low = false;
  std::size_t page_tasks = 2;
  std::size_t inline_bytes = SIZE_MAX;  // of the largest payload or result that is not apart
  std::uint64_t commits = 0;

 private:
  struct Reader : store::DataReader {
    explicit Reader(const StoreDouble& from) : disk(from) {}
    store::Result<Blob> read(DataKey key, std::uint64_t offset, std::uint64_t bytes) override {
      return disk.read(key, offset, bytes);
    }
    const StoreDouble& disk;
  };
  void move_apart(store::TaskRecord& task) const {
    if (task.payload.size() > inline_bytes)
      task.payload = Data::apart(payload_key(task.sequence), task.payload.size());
    if (task.result.size() > inline_bytes)
      task.result = Data::apart(result_key(task.sequence), task.result.size());
  }
  /// The payload of a task that was replayed, which must still be there.
  void share_payloads(store::Batch& batch) const {
    for (store::TaskRecord& task : batch.added)
      if (task.payload.is_apart())
        task.payload = Data(*read(task.payload.key(), 0, task.payload.size()));
  }
  static tl::unexpected<store::StoreError> failed(store::Failure failure) {
    return tl::unexpected(store::StoreError{failure, "told to"});
  }
  store::Result<void> commit_part(const store::Lease& lease, const store::Batch& batch) {
    using store::Failure;
    const Fault fault = std::exchange(next_fault, Fault::kNone);
    ++commits;
    if (!holds(lease)) return failed(Failure::kFenced);
    if (batch.empty()) return {};
    if (fault == Fault::kNoSpace || space < batch.size()) return failed(Failure::kFull);
    Tasks written = disk_;
    write(batch, written, fault == Fault::kShortWrite || fault == Fault::kWriteError);
    if (fault == Fault::kShortWrite) return failed(Failure::kFull);
    if (fault == Fault::kWriteError || fault == Fault::kSyncError) return failed(Failure::kIo);
    disk_ = std::move(written);
    for (const auto& node : batch.nodes) nodes_[node.id] = node;
    for (const auto& row : batch.measures) measures_[{row.node, row.model, row.size}] = row;
    if (space != kNoEnd) space -= batch.size();
    if (fault == Fault::kLateSyncError) return failed(Failure::kIo);
    return {};
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
    using Change = store::Batch::Data;
    store::TaskRecord next = change.record;
    next.id = task.id;
    next.digest = task.digest;
    next.spec = task.spec;
    next.created_ms = task.created_ms;
    GENAI_CHECK(change.payload != Change::kSet);
    next.payload = change.payload == Change::kKeep ? task.payload : Data();
    if (change.result == Change::kKeep) next.result = task.result;
    if (change.result == Change::kClear) GENAI_CHECK(next.result.empty());
    task = std::move(next);
  }

  Tasks disk_;
  std::map<NodeId, store::NodeRow> nodes_;
  Measures measures_;
  bool held_ = false;
  std::uint64_t epoch_ = 0;
  std::uint64_t last_ = 0;  // sequence, when the lease was acquired
};

}  // namespace genai::dispatcher::test
