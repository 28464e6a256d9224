// genai-node's log lines.
#pragma once

#include "genai/node.h"
#include "protocol/base/rate_limit.h"

namespace genai::node {

class EventLog {
 public:
  void write(const Event& event);

 private:
  // Refusals and wrong frames come as often as a peer likes.
  RateLimit noisy_{5, from_ms(10'000)};
};

}  // namespace genai::node
