// Pauses that grow while a trouble goes on.
#pragma once

#include <algorithm>
#include <cstdint>

#include "protocol/base/time.h"

namespace genai {

/// `first`, doubled `times` times, up to `longest`. `first` is at most some minutes.
inline Duration doubled(Duration first, std::uint32_t times, Duration longest) {
  constexpr std::uint32_t kEnough = 16;
  return std::min(first * (std::int64_t{1} << std::min(times, kEnough)), longest);
}

}  // namespace genai
