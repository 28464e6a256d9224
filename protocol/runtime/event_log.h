// Writes the events of a pure machine as log lines, but not more lines than people can read.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "protocol/base/log_event.h"
#include "protocol/base/rate_limit.h"
#include "protocol/base/time.h"

namespace genai::runtime {

/// Peers cannot flood the log: each kind of line is written a thousand times at once (a fleet may
/// come or go), and then ten times a second. The next line says how many were left out. Debug lines
/// have no limit. Not thread-safe.
class EventLog {
 public:
  void write(const LogEvent& event, Duration now);

 private:
  std::map<std::string, RateLimit, std::less<>> limits_;  // by text
};

}  // namespace genai::runtime
