// Reads large data, and checks it, while the store goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "dispatcher/store/sqlite/extent_index.h"
#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// See DataReader. One thread uses it.
class SegmentReader : public DataReader {
 public:
  SegmentReader(std::string folder, std::shared_ptr<const ExtentIndex> index)
      : folder_(std::move(folder)), index_(std::move(index)) {}

  Result<Blob> read(DataKey key, std::uint64_t offset, std::uint64_t bytes) override;

 private:
  Result<Blob> read_checked(const Extent& extent, std::uint64_t offset, std::uint64_t bytes);

  const std::string folder_;
  const std::shared_ptr<const ExtentIndex> index_;
  /// Segment and byte of data whose digest was right.
  std::set<std::pair<std::uint64_t, std::uint64_t>> checked_;
};

}  // namespace genai::dispatcher::store
