// `genai-bench placement`: the dispatcher's choice of nodes, measured against the queue's length
// alone, on virtual time.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace genai::bench {

struct PlacementOptions {
  std::vector<std::string> scenarios;  // keys; empty: all
  std::uint64_t seed = 1;              // the same: the same bytes
  bool json = false;
};

/// A row per figure. `check` is called before each scenario; what it throws ends the call. Throws
/// std::runtime_error when the dispatcher loses a task.
void run_placement(const PlacementOptions& options, std::ostream& out,
                   const std::function<void()>& check);

}  // namespace genai::bench
