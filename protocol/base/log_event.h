// A line for the log, as a pure machine says it. A loop writes it (runtime/event_log.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "protocol/base/value.h"

namespace genai {

struct LogEvent {
  enum class Level { kDebug, kInfo, kWarn };
  Level level;
  std::string text;  // one of few: what varies stands in the fields
  std::vector<std::pair<std::string, Value>> fields;
};

}  // namespace genai
