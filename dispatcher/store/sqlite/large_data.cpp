#include "dispatcher/store/sqlite/large_data.h"

#include <utility>

#include "dispatcher/store/sqlite/segment_reader.h"
#include "protocol/base/check.h"

namespace genai::dispatcher::store {

bool LargeData::begin() {
  const std::vector<Extent> live = index_->extents();
  if (!segments_.has_any_of(live)) return false;
  segments_.collect(live);
  return true;
}

void LargeData::share_payloads(Batch& batch) {
  for (TaskRecord& task : batch.added) {
    const DataKey own = payload_key(task.sequence);
    if (!task.payload.is_apart() || task.payload.key() == own) continue;
    const auto extent = index_->find(task.payload.key());
    GENAI_CHECK(extent.has_value());
    index_->add(own, *extent);
    task.payload = Data::apart(own, extent->bytes);
  }
}

Result<void> LargeData::write(const Batch& batch) {
  new_.clear();
  gone_.clear();
  auto result = write_all(batch);
  if (!result) roll_back();
  return result;
}

Result<void> LargeData::write_all(const Batch& batch) {
  for (const TaskRecord& task : batch.added) {
    if (auto written = write(payload_key(task.sequence), task.payload); !written) return written;
    if (auto written = write(result_key(task.sequence), task.result); !written) return written;
  }
  for (const Batch::Change& change : batch.changed) {
    if (change.result != Batch::Data::kSet) continue;
    const DataKey key = result_key(change.record.sequence);
    if (auto written = write(key, change.record.result); !written) return written;
  }
  return segments_.sync();
}

Result<void> LargeData::write(DataKey key, const Data& data) {
  if (data.is_apart() || data.size() <= largest_inline_) return {};
  const auto extent = segments_.append(data.view());
  if (!extent) return tl::unexpected(extent.error());
  new_.emplace(key, *extent);
  return {};
}

std::optional<Extent> LargeData::extent_of(DataKey key) const {
  const auto written = new_.find(key);
  return written == new_.end() ? index_->find(key) : written->second;
}

bool LargeData::drop(DataKey key) {
  if (!index_->find(key)) return false;
  gone_.push_back(key);
  return true;
}

void LargeData::keep() {
  segments_.keep();
  for (const auto& [key, extent] : new_) index_->add(key, extent);
  for (const DataKey key : gone_)
    if (const auto freed = index_->remove(key)) freed_.push_back(*freed);
}

std::unique_ptr<DataReader> LargeData::reader() const {
  return std::make_unique<SegmentReader>(segments_.folder(), index_);
}

}  // namespace genai::dispatcher::store
