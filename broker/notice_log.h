// The core's notices as log lines, not more of them than people can use.
#pragma once

#include <map>

#include "broker/effects.h"
#include "protocol/base/rate_limit.h"
#include "protocol/base/time.h"

namespace genai::broker {

/// Whatever peers do, each kind of line comes a thousand times at once (a fleet may come or go) and
/// ten times a second from then on; the next one says how many were left out. Not thread-safe.
class NoticeLog {
 public:
  void write(const Notice& notice, const Now& now);

 private:
  std::map<Notice::Kind, RateLimit> limits_;
};

}  // namespace genai::broker
