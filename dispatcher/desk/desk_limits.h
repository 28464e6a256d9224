// How much clients may leave with the dispatcher, and when it repeats itself to them.
#pragma once

#include <cstddef>

#include "protocol/base/time.h"

namespace genai::dispatcher {

struct DeskLimits {
  std::size_t max_tasks = 1'000'000;                    // not terminal
  std::size_t max_queued_bytes = std::size_t{4} << 30;  // of their payloads and specs
  Duration resend = from_ms(5000);                      // DELIVER without DELIVER_ACK
};

}  // namespace genai::dispatcher
