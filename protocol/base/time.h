// Time as the pure cores see it: passed in, never read.
#pragma once

#include <chrono>
#include <cstdint>

namespace genai {

using Duration = std::chrono::microseconds;

/// One reading of both clocks. `mono` orders events and measures leases and never goes back (origin
/// arbitrary, the same within a process); `wall` is UTC since 1970, for what people and other
/// machines read, and may jump.
struct Now {
  Duration mono{0};
  Duration wall{0};
};

/// A deadline on the `mono` clock; kNever when there is none.
inline constexpr Duration kNever = Duration::max();

constexpr std::uint64_t to_ms(Duration d) {
  return d.count() < 0 ? 0 : static_cast<std::uint64_t>(d.count()) / 1000;
}
constexpr Duration from_ms(std::uint64_t ms) {
  return Duration(static_cast<std::int64_t>(ms) * 1000);
}

}  // namespace genai
