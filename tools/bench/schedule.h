// When the tasks of an open loop are due: at a fixed rate, whatever has become of those before.
#pragma once

#include <cstddef>
#include <cstdint>

#include "protocol/base/time.h"

namespace genai::bench {

/// One of `parts` clients that take turns: task `number` of client `index` is the
/// (number * parts + index)-th of all. Times are since the begin. Pure.
struct Schedule {
  std::uint64_t rate = 1;  // tasks per second, of all clients
  std::size_t parts = 1, index = 0;

  Duration due(std::uint64_t number) const {
    return Duration(static_cast<std::int64_t>((number * parts + index) * kSecond / rate));
  }
  /// How many tasks are due at `at` or before.
  std::uint64_t due_by(Duration at) const {
    if (at.count() < 0) return 0;
    // Of all clients: those whose time is less than the next microsecond.
    const std::uint64_t all =
        ((static_cast<std::uint64_t>(at.count()) + 1) * rate + kSecond - 1) / kSecond;
    return all <= index ? 0 : (all - index + parts - 1) / parts;
  }

 private:
  static constexpr std::uint64_t kSecond = 1'000'000;
};

}  // namespace genai::bench
