// The core's notices as log lines, not more of them than people can use.
#pragma once

#include "broker/effects.h"
#include "protocol/process/logging.h"
#include "protocol/process/rate_limit.h"
#include "protocol/time.h"

namespace genai::broker {

/// Not thread-safe.
class NoticeLog {
 public:
  void write(const Notice& notice, const Now& now);

 private:
  void write_node_line(process::LogLevel level, std::string_view text, const Notice& notice,
                       const Now& now);

  // A fleet may come or go at once, and has its lines; who comes and goes without end has not.
  process::RateLimit node_lines_{1000, from_ms(100)};
};

}  // namespace genai::broker
