// `genai-bench goals`: whether the dispatcher is as fast as it is meant to be, on this machine.
#pragma once

#include <string>

#include "tools/bench/interrupt.h"

namespace genai::bench {

struct GoalOptions {
  std::string data_dir;  // a folder is made below it and removed; empty: the temporary files'
  bool quick = false;    // one repeat of fewer tasks: whether it works, rather than how fast
  bool json = false;
};

/// Each figure is the median over repeats of a ratio to the unbatched reference just before it.
/// Prints a row per goal; false when one is missed. Throws std::runtime_error (Interrupted among
/// them).
bool run_goals(const GoalOptions& options, const Interrupt& interrupt);

}  // namespace genai::bench
