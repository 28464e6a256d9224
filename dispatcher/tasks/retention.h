// How long and how much is kept of tasks that have ended.
#pragma once

#include <cstddef>

#include "protocol/base/time.h"

namespace genai::dispatcher {

struct Retention {
  Duration result_retention = from_ms(24ull * 3600 * 1000);      // results nobody acknowledged
  std::size_t max_result_bytes = std::size_t{1} << 30;           // of kept results
  std::size_t max_result_memory = std::size_t{1} << 30;          // of that, bytes in memory
  Duration failed_retention = from_ms(7ull * 24 * 3600 * 1000);  // Failed tasks, to be replayed
  std::size_t max_failed_bytes = std::size_t{1} << 30;           // of Failed tasks
  Duration history_retention = from_ms(3600ull * 1000);  // terminal tasks without their data
  std::size_t max_history = 200'000;
};

}  // namespace genai::dispatcher
