// `genai-bench run`: tasks through broker and dispatcher and back, in memory and durable, each
// beside the reference of the same run.
#pragma once

#include <string>
#include <vector>

#include "tools/bench/trip.h"

namespace genai::bench {

struct RunOptions {
  Trip trip;  // but its window and store
  std::vector<std::size_t> windows{1, 100, 1000, 10'000};
  std::vector<std::string> stores{"memory", "sqlite"};
  bool json = false;

  /// A row each; an open loop has one, and no window.
  std::vector<std::size_t> rows() const {
    return trip.rate > 0 ? std::vector<std::size_t>{0} : windows;
  }
};

/// Prints a row of the reference for each window, then a row per store and window. Throws
/// std::runtime_error (Interrupted among them).
void run_tasks(const RunOptions& options, const Interrupt& interrupt);

/// `genai-bench raw`: the reference alone.
void run_raw(const RunOptions& options, const Interrupt& interrupt);

}  // namespace genai::bench
