// The core's notes as log lines, not more of them than people can use.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "dispatcher/effects.h"
#include "protocol/base/rate_limit.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// Whatever peers do, each kind of line comes a thousand times at once (a fleet may come or go) and
/// ten times a second from then on; the next one says how many were left out. What is only for
/// debugging is not bounded. Not thread-safe.
class NoteLog {
 public:
  void write(const Note& note, Duration now);

 private:
  std::map<std::string, RateLimit, std::less<>> limits_;  // by text: the core's own few
};

}  // namespace genai::dispatcher
