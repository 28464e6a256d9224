// The buckets of histograms of spans.
#pragma once

#include <vector>

namespace genai::dispatcher {

/// Milliseconds, from 1 ms to an hour.
inline const std::vector<double> kSpanBoundsMs = {
    1, 10, 100, 1'000, 3'000, 10'000, 30'000, 60'000, 300'000, 1'000'000, 3'600'000};

}  // namespace genai::dispatcher
