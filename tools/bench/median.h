// What is said of several repeats of one measurement: no single stall of the machine decides it.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace genai::bench {

/// The middle value, of an even count the mean of the two in the middle. NaN of none, and when one
/// was not measured.
inline double median(std::vector<double> values) {
  if (values.empty() || std::ranges::any_of(values, [](double v) { return std::isnan(v); }))
    return std::nan("");
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace genai::bench
