// Pauses that grow as long as a problem goes on.
#pragma once

#include <algorithm>
#include <cstdint>

#include "protocol/base/time.h"

namespace genai {

/// Returns `first`, doubled `times` times, but at most `longest`. `first`: at most some minutes.
inline Duration doubled(Duration first, std::uint32_t times, Duration longest) {
  constexpr std::uint32_t kEnough = 16;
  return std::min(first * (std::int64_t{1} << std::min(times, kEnough)), longest);
}

}  // namespace genai
