// A line for the log. A pure machine makes it, and a loop writes it (runtime/event_log.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "protocol/base/value.h"

namespace genai {

struct LogEvent {
  enum class Level { kDebug, kInfo, kWarn };
  Level level;
  std::string text;  // one of a few fixed texts: the fields have everything that varies
  std::vector<std::pair<std::string, Value>> fields;
};

}  // namespace genai
