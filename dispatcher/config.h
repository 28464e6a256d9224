// The dispatcher's figures: what options set and the pure core goes by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "dispatcher/placement/quota.h"
#include "dispatcher/tasks/retention.h"
#include "protocol/base/limits.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// With how long and how much is kept of tasks that have ended.
struct Config : Retention {
  // Whether changes are gathered for a store.
  bool durable = false;

  // Liveness of links; node liveness is the broker's.
  Duration heartbeat = from_ms(1000);
  Duration lost = from_ms(5000);

  // Placement.
  std::uint32_t prefetch = 1;      // tasks at a node beyond its slots, while the backlog is long
  bool queue_length_only = false;  // the reference to measure against: no tenants, no measures
  Duration priority_step = from_ms(60'000);  // what one step of priority is worth in waiting
  std::map<std::string, Quota> quotas;       // by tenant; "*": everybody else

  // Attempts. Each counter has its own limit (DESIGN.md, point 5).
  std::uint32_t max_faults = 5;   // error results
  std::uint32_t max_losses = 10;  // attempts that died with, or were dropped by, a provider
  std::uint32_t max_drains = 100;
  std::uint32_t max_crashes = 3;  // nodes lost while they executed it: then it is quarantined

  // Times.
  Duration assign_ack = from_ms(3000);     // ASSIGN without an answer: requeued
  Duration time_limit = from_ms(600'000);  // of one execution, when the task names none
  Duration resend = from_ms(5000);         // DELIVER without DELIVER_ACK
  Duration abort_resend = from_ms(2000);   // ABORT without ABORT_ACK

  // Limits of what is kept.
  std::size_t max_tasks = 1'000'000;                    // not terminal
  std::size_t max_queued_bytes = std::size_t{4} << 30;  // of their payloads and specs
};

}  // namespace genai::dispatcher
