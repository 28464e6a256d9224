// What size costs: many nodes, many tasks that wait, nodes lost with all they held, large results.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/goal.h"
#include "tools/bench/interrupt.h"

namespace genai::bench {

struct ScalePlan {
  int repeats;           // each figure is the median of so many
  std::uint64_t tasks;   // of a row
  unsigned nodes;        // against kFewNodes
  std::uint64_t queued;  // beside a row, against none
  std::uint64_t lost;    // held by nodes that are lost
  std::uint64_t large;   // tasks with payloads and results of 1 MiB
  std::string data_dir;  // of the daemons
};

/// Throws std::runtime_error (Interrupted among them).
std::vector<Goal> scale_goals(const ScalePlan& plan, const Interrupt& interrupt);

}  // namespace genai::bench
