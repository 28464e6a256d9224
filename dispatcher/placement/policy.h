// By what placement goes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "dispatcher/placement/quota.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

struct PlacementPolicy {
  std::uint32_t prefetch = 1;      // tasks at a node beyond its slots, while the backlog is long
  bool queue_length_only = false;  // the reference to measure against: no tenants, no measures
  Duration priority_step = from_ms(60'000);  // what one step of priority is worth in waiting
  std::map<std::string, Quota> quotas;       // by tenant; "*": everybody else
};

}  // namespace genai::dispatcher
