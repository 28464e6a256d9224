// The limits of tasks: how often and how long a task may be tried, and what is remembered of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "protocol/base/limits.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// Set by options.
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

// Attempts remembered per task. A result of one that was forgotten is discarded.
inline constexpr std::size_t kMaxIssued = 64;
// Of the memory that the info of a result may take before keys that SPEC.md does not know go.
inline constexpr std::size_t kMaxKept = 2 * limits::kMaxResultInfoBytes;

}  // namespace genai::dispatcher
