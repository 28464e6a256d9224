// The command line of genai-bench.
#pragma once

#include <optional>
#include <string>

#include "tools/bench/all_bench.h"
#include "tools/bench/goals_bench.h"
#include "tools/bench/placement_bench.h"
#include "tools/bench/run_bench.h"
#include "tools/bench/store_bench.h"

namespace genai::bench {

enum class Command { kRun, kRaw, kHop, kStore, kPlacement, kGoals, kAll };

struct HopOptions {
  std::string front, back;
  bool bind_back = false;
};

struct Options {
  Command command = Command::kRun;
  RunOptions run, raw;
  HopOptions hop;
  StoreOptions store;
  PlacementOptions placement;
  GoalOptions goals;
  AllOptions all;
};

/// An exit code when there is nothing to run: help, version, or a wrong command line.
std::optional<int> parse_options(int argc, char** argv, Options& options);

}  // namespace genai::bench
