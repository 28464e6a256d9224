// `genai-bench store`: the store alone, whole lives of tasks in batches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/interrupt.h"

namespace genai::bench {

struct StoreOptions {
  std::string data_dir;  // a folder is made below it and removed; empty: the temporary files'
  std::vector<std::size_t> batches{1, 32, 256, 4096};
  std::uint64_t tasks = 200'000;
  double seconds = 5;  // per batch size
  std::size_t payload_bytes = 256;
  bool json = false;
};

/// Prints a row per batch size. Throws std::runtime_error (Interrupted among them).
void run_store(const StoreOptions& options, const Interrupt& interrupt);

}  // namespace genai::bench
