// Time for the pure machines: they get it as an argument and never read a clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace genai {

using Duration = std::chrono::microseconds;

/// One reading of both clocks. `mono` orders events and measures leases. It never goes back; its
/// zero is arbitrary, and the same within one process. `wall` is UTC since 1970, for people and for
/// other machines. It may jump.
struct Now {
  Duration mono{0};
  Duration wall{0};
};

/// The time on the `mono` clock that means: there is no deadline.
inline constexpr Duration kNever = Duration::max();

constexpr std::uint64_t to_ms(Duration d) {
  return d.count() < 0 ? 0 : static_cast<std::uint64_t>(d.count()) / 1000;
}
constexpr Duration from_ms(std::uint64_t ms) {
  return Duration(static_cast<std::int64_t>(ms) * 1000);
}

}  // namespace genai
