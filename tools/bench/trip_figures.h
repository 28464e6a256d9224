// What is kept of a row when it is one of several repeats.
#pragma once

#include <vector>

namespace genai::bench {

/// As in TripRow; times are those to the result.
struct TripFigures {
  double tasks_per_s, against_raw;
  double p50_us, p99_us, p999_us;
  double broker_us, dispatcher_us;
  double broker_rss_mib, dispatcher_rss_mib;
};

/// Each figure by itself: the median of one is not of the same repeat as that of another.
TripFigures median_of(const std::vector<TripFigures>& repeats);

}  // namespace genai::bench
