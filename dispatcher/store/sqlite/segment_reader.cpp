#include "dispatcher/store/sqlite/segment_reader.h"

#include <chrono>
#include <thread>

namespace genai::dispatcher::store {
namespace {

constexpr std::chrono::milliseconds kMoment{100};
constexpr std::size_t kChecksKept = 100'000;

tl::unexpected<StoreError> gone() {
  return tl::unexpected(StoreError{Failure::kDamaged, "it was dropped meanwhile"});
}

}  // namespace

Result<Blob> SegmentReader::read(DataKey key, std::uint64_t offset, std::uint64_t bytes) {
  const auto extent = index_->find(key);
  if (!extent) return gone();
  auto read = read_checked(*extent, offset, bytes);
  if (!read && read.error().failure == Failure::kLocked) std::this_thread::sleep_for(kMoment);
  // Its room may have been given back meanwhile.
  return index_->find(key) == extent ? read : gone();
}

/// The digest is that of the whole: the first time a part is asked for, all is read.
Result<Blob> SegmentReader::read_checked(const Extent& extent, std::uint64_t offset,
                                         std::uint64_t bytes) {
  const std::pair place(extent.segment, extent.at);
  if (bytes == extent.bytes || checked_.contains(place))
    return Segments::read(folder_, extent, offset, bytes);
  auto whole = Segments::read(folder_, extent, 0, extent.bytes);
  if (!whole) return whole;
  if (checked_.size() == kChecksKept) checked_.clear();
  checked_.insert(place);
  return whole->sub(whole->view().substr(offset, bytes)).detached();
}

}  // namespace genai::dispatcher::store
