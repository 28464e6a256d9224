// How often and how long a task may be tried.
#pragma once

#include <cstdint>

#include "protocol/base/time.h"

namespace genai::dispatcher {

struct AttemptLimits {
  // Each counter has its own limit: the fault of a task, of a node and of nobody are not one thing.
  std::uint32_t max_faults = 5;   // error results
  std::uint32_t max_losses = 10;  // attempts that died with, or were dropped by, a provider
  std::uint32_t max_drains = 100;
  std::uint32_t max_crashes = 3;  // nodes lost while they executed it: then it is quarantined

  Duration assign_ack = from_ms(3000);     // ASSIGN without an answer: requeued
  Duration time_limit = from_ms(600'000);  // of one execution, when the task names none
  Duration abort_resend = from_ms(2000);   // ABORT without ABORT_ACK
};

}  // namespace genai::dispatcher
