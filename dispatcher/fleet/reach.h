// Whether the node of a session can be given work, as far as its broker tells.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace genai::dispatcher {

/// kUnreachable: its broker is down, or does not list it.
enum class Reach : std::uint8_t { kOnline, kSuspect, kDraining, kUnreachable };

inline std::string_view name(Reach reach) {
  static constexpr std::array<std::string_view, 4> kNames = {"online", "suspect", "draining",
                                                             "unreachable"};
  return kNames[static_cast<std::size_t>(reach)];
}

}  // namespace genai::dispatcher
