// `genai-bench run`: tasks through broker and dispatcher and back, in memory and durable.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/daemons.h"
#include "tools/bench/interrupt.h"

namespace genai::bench {

struct RunOptions {
  std::vector<std::size_t> windows{1, 100, 1000, 10'000};
  std::vector<std::string> stores{"memory", "sqlite"};
  std::string data_dir;  // a folder is made below it and removed; empty: the temporary files'
  Endpoints running;     // these instead of daemons of our own, unless empty
  std::uint64_t tasks = 1'000'000;  // per row, at most
  double seconds = 5;               // per row
  std::size_t clients = 1;          // that share the window, the tasks and a connection each
  std::size_t batch = 32;           // tasks in a SUBMIT, at most
  unsigned workers = 8;             // connections
  std::uint32_t slots = 512;        // of each
  std::size_t payload_bytes = 256, result_bytes = 256;
  bool json = false;
};

/// Starts the daemons beside this program, one fresh pair per row, and prints a row per store and
/// window. Throws std::runtime_error (Interrupted among them).
void run_tasks(const RunOptions& options, const Interrupt& interrupt);

}  // namespace genai::bench
