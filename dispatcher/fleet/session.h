// One life of a node at a broker, as the brokers tell it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dispatcher/fleet/reach.h"
#include "protocol/base/ids.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

struct Session {
  SessionId id;
  NodeId node_id;
  std::size_t broker = 0;  // by which it is reached
  Reach reach = Reach::kOnline;
  Duration lost_at = kNever;  // unreachable: when it is taken for lost
  std::size_t index = 0;      // dense, used again once it is free
};

}  // namespace genai::dispatcher
