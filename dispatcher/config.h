// The dispatcher's figures: what options set and the pure machines go by. Each machine knows its
// own part.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dispatcher/desk/limits.h"
#include "dispatcher/fleet/link_times.h"
#include "dispatcher/placement/policy.h"
#include "dispatcher/tasks/limits.h"
#include "dispatcher/tasks/retention.h"

namespace genai::dispatcher {

struct Config : LinkTimes, PlacementPolicy, AttemptLimits, Retention, DeskLimits {
  bool durable = false;                   // whether changes are gathered for a store
  std::size_t largest_inline = SIZE_MAX;  // of that store: larger data stands apart in it
};

}  // namespace genai::dispatcher
