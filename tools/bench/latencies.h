// Measured times and what is said of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace genai::bench {

/// Microseconds. Not thread-safe.
class Latencies {
 public:
  void add(double us) {
    values_.push_back(us);
    sorted_ = false;
  }
  void add(const Latencies& other) {
    values_.insert(values_.end(), other.values_.begin(), other.values_.end());
    sorted_ = false;
  }
  std::size_t size() const { return values_.size(); }
  /// 0 of none.
  double mean() const {
    const double sum = std::accumulate(values_.begin(), values_.end(), 0.0);
    return values_.empty() ? 0 : sum / static_cast<double>(values_.size());
  }
  /// The smallest value that `share` (0..1) of all do not exceed (nearest rank); 0 of none.
  double quantile(double share) {
    if (values_.empty()) return 0;
    if (!sorted_) std::ranges::sort(values_);
    sorted_ = true;
    const double rank = share * static_cast<double>(values_.size());
    std::size_t index = static_cast<std::size_t>(rank);
    if (static_cast<double>(index) == rank && index > 0) --index;
    return values_[std::min(index, values_.size() - 1)];
  }

 private:
  std::vector<double> values_;
  bool sorted_ = true;
};

}  // namespace genai::bench
