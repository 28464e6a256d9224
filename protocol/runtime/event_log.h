// Writes the events of a pure machine as log lines, but no more of them than people can use.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "protocol/base/log_event.h"
#include "protocol/base/rate_limit.h"
#include "protocol/base/time.h"

namespace genai::runtime {

/// Whatever peers do, each kind of line comes a thousand times at once (a fleet may come or go) and
/// ten times a second from then on; the next one says how many were left out. Lines for debugging
/// are not bounded. Not thread-safe.
class EventLog {
 public:
  void write(const LogEvent& event, Duration now);

 private:
  std::map<std::string, RateLimit, std::less<>> limits_;  // by text
};

}  // namespace genai::runtime
