// `genai-bench all`: the table of the README, from one run.
#pragma once

#include <cstdint>
#include <string>

#include "tools/bench/interrupt.h"

namespace genai::bench {

struct AllOptions {
  std::string data_dir;  // a folder is made below it and removed; empty: the temporary files'
  int repeats = 5;
  std::uint64_t tasks = 1'000'000;  // per row and repeat, at most
  double seconds = 3;               // nor longer than this
  bool json = false;
};

/// Reference, memory and sqlite, with and without batches, a task alone and many at once. Every
/// repeat measures each of them once, so that a slow minute of the machine meets all. Throws
/// std::runtime_error (Interrupted among them).
void run_all(const AllOptions& options, const Interrupt& interrupt);

}  // namespace genai::bench
