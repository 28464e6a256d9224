// Limits how often something is done. The main use: log lines about hostile input.
#pragma once

#include <cstdint>

#include "protocol/base/time.h"

namespace genai {

/// A token bucket without a clock: `burst` times at once, then once in `interval`. Not thread-safe.
class RateLimit {
 public:
  /// `burst` >= 1, `interval` > 0.
  constexpr RateLimit(std::uint32_t burst, Duration interval)
      : burst_(burst), interval_(interval), tokens_(burst) {}

  /// Returns whether it may be done at `now` (the mono clock). If not, counts it as suppressed.
  constexpr bool allow(Duration now) {
    refill(now);
    if (tokens_ == 0) {
      ++suppressed_;
      return false;
    }
    --tokens_;
    return true;
  }

  /// Returns how many were suppressed since the last call: print it with the next allowed one.
  constexpr std::uint64_t take_suppressed() {
    const std::uint64_t count = suppressed_;
    suppressed_ = 0;
    return count;
  }

 private:
  constexpr void refill(Duration now) {
    if (tokens_ == burst_ || now < refilled_) {
      // A full bucket gains nothing: the next interval starts when the first token leaves it.
      refilled_ = now;
      return;
    }
    const auto earned = (now - refilled_) / interval_;
    if (earned >= static_cast<std::int64_t>(burst_ - tokens_)) {
      tokens_ = burst_;
      refilled_ = now;
    } else {
      tokens_ += static_cast<std::uint32_t>(earned);
      refilled_ += earned * interval_;
    }
  }

  std::uint32_t burst_;
  Duration interval_;
  std::uint32_t tokens_;
  Duration refilled_{0};
  std::uint64_t suppressed_ = 0;
};

}  // namespace genai
