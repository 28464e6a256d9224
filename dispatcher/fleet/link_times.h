// When links to brokers are judged. The liveness of nodes is the broker's.
#pragma once

#include "protocol/base/time.h"

namespace genai::dispatcher {

struct LinkTimes {
  Duration heartbeat = from_ms(1000);
  /// Silence after which a broker is down, and grace for its nodes to come back.
  Duration lost = from_ms(5000);
};

}  // namespace genai::dispatcher
