// Which large data there is, and where: the store changes it, readers on other threads look it up.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dispatcher/store/sqlite/segments.h"
#include "dispatcher/tasks/data.h"

namespace genai::dispatcher::store {

/// Several keys may have one extent: the content of a task that was replayed. Thread-safe.
class ExtentIndex {
 public:
  std::optional<Extent> find(DataKey key) const {
    const std::lock_guard lock(mutex_);
    const auto it = extents_.find(key);
    return it == extents_.end() ? std::nullopt : std::optional(it->second);
  }

  /// The key must be new.
  void add(DataKey key, const Extent& extent) {
    const std::lock_guard lock(mutex_);
    extents_.emplace(key, extent);
    ++keys_[{extent.segment, extent.at}];
  }

  /// Returns the extent if no other key has it: its room can be given back.
  std::optional<Extent> remove(DataKey key) {
    const std::lock_guard lock(mutex_);
    const auto it = extents_.find(key);
    if (it == extents_.end()) return std::nullopt;
    const Extent extent = it->second;
    extents_.erase(it);
    const auto keys = keys_.find({extent.segment, extent.at});
    if (--keys->second > 0) return std::nullopt;
    keys_.erase(keys);
    return extent;
  }

  /// Each extent once, by segment and place.
  std::vector<Extent> extents() const {
    const std::lock_guard lock(mutex_);
    std::map<Place, Extent> sorted;
    for (const auto& [key, extent] : extents_)
      sorted.emplace(Place{extent.segment, extent.at}, extent);
    std::vector<Extent> all;
    all.reserve(sorted.size());
    for (const auto& [place, extent] : sorted) all.push_back(extent);
    return all;
  }

 private:
  using Place = std::pair<std::uint64_t, std::uint64_t>;  // segment, byte

  mutable std::mutex mutex_;
  std::unordered_map<DataKey, Extent> extents_;
  std::map<Place, std::size_t> keys_;  // so many have it
};

}  // namespace genai::dispatcher::store
