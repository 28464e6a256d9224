// A running mean and variance that forget: each sample counts for less the older it is.
#pragma once

#include <algorithm>

namespace genai::dispatcher {

/// Exponentially weighted, and a plain mean as long as there are few samples. Source: T. Finch,
/// "Incremental calculation of weighted mean and variance" (2009), section 9.
struct Trend {
  double weight = 0;  // how many samples it is worth
  double mean = 0;
  double variance = 0;

  /// It remembers about `memory` samples.
  void add(double sample, double memory = 10) {
    weight = std::min(weight + 1, memory);
    const double gain = 1 / weight, difference = sample - mean;
    mean += gain * difference;
    variance = (1 - gain) * (variance + gain * difference * difference);
  }
  bool empty() const { return weight == 0; }

  friend bool operator==(const Trend&, const Trend&) = default;
};

}  // namespace genai::dispatcher
