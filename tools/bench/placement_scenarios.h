// The scenarios of `genai-bench placement`: a fleet, its tasks, and the figures that tell one way
// of placing them from another.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dispatcher/config.h"

namespace genai::bench {

/// The less the better.
struct Figure {
  std::string name;  // with its unit
  double value;
  int decimals;
};

struct Trial {
  std::vector<Figure> figures;
  std::size_t submitted = 0, completed = 0, failed = 0;
};

struct Scenario {
  std::string_view key;
  std::string_view title;
  /// The same tasks for any config: they are drawn from the seed alone. Throws std::runtime_error
  /// when the dispatcher loses one.
  Trial (*run)(const dispatcher::Config& config, std::uint64_t seed);
};

std::span<const Scenario> placement_scenarios();

}  // namespace genai::bench
