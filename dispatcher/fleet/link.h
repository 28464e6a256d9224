// One broker as seen over its link.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "dispatcher/fleet/broker_metrics.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

struct Link {
  std::string endpoint;
  InstanceId broker;
  std::uint64_t seq = 0;               // of the last delta applied
  bool up = false;                     // has given a snapshot and been heard since
  bool asks = false;                   // for a new one, until it comes
  ErrorCode refused = ErrorCode::kOk;  // why the broker does not serve this dispatcher
  Duration heard_at{0};
  Duration hello_at{0};      // when to ask (again) for a snapshot
  Duration tell_at{0};       // when to tell people (again) that there is none
  Duration heartbeat_at{0};  // when to send the next one
  BrokerMetrics metrics;
  struct Listing {
    bool same_broker, was_up;  // before it
    std::unordered_set<SessionId> present;
  };
  std::optional<Listing> listing;  // of a snapshot whose last part has not come yet
  // Listed in its snapshot, but heard at another broker; and nodes of which a session there has
  // taken over from one here. Whoever falls silent there may be here after all.
  std::unordered_set<SessionId> elsewhere;
  std::unordered_set<NodeId> taken_over;
};

}  // namespace genai::dispatcher
