// The command line of genai-bench.
#pragma once

#include <optional>

#include "tools/bench/placement_bench.h"
#include "tools/bench/run_bench.h"
#include "tools/bench/store_bench.h"

namespace genai::bench {

enum class Command { kRun, kStore, kPlacement };

struct Options {
  Command command = Command::kRun;
  RunOptions run;
  StoreOptions store;
  PlacementOptions placement;
};

/// An exit code when there is nothing to run: help, version, or a wrong command line.
std::optional<int> parse_options(int argc, char** argv, Options& options);

}  // namespace genai::bench
