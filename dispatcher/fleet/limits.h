// The limits of the fleet that no option sets.
#pragma once

#include <cstddef>
#include <cstdint>

namespace genai::dispatcher {

// STATS_REPLY is small: no more than this of all brokers together, those that come first.
inline constexpr std::size_t kMaxBrokerMetricsBytes = std::size_t{32} << 10;
// A store keeps 63 bits.
inline constexpr std::uint64_t kMaxEpoch = std::uint64_t{1} << 62, kMaxStep = kMaxEpoch / 2;

}  // namespace genai::dispatcher
