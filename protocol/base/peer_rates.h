// Limits how much each peer may ask of a process in a second.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/string_map.h"
#include "protocol/base/time.h"

namespace genai {

/// Each peer may use so many units in a second, and may save the units of one second (generic cell
/// rate algorithm, ITU-T I.371, virtual scheduling). It stores one time for each peer that asked in
/// the last second. Not thread-safe. `now` is the mono clock.
class PeerRates {
 public:
  /// `units_per_second` is 1 to 10^6: times are in microseconds.
  explicit PeerRates(std::uint64_t units_per_second)
      : unit_(from_ms(1000) / static_cast<std::int64_t>(units_per_second)) {}

  /// Returns false while the peer has used up its units: refuse its request, and charge nothing.
  bool may_ask(std::string_view peer, Duration now) const {
    const auto it = paid_until_.find(peer);
    return it == paid_until_.end() || it->second <= now + kBurst;
  }

  /// Charges a request of the peer. One request may cost more units than the peer has left.
  void charge(std::string_view peer, std::size_t units, Duration now) {
    if (units == 0) return;
    if (paid_until_.size() >= sweep_at_) forget_silent(now);
    auto it = paid_until_.find(peer);
    if (it == paid_until_.end()) it = paid_until_.emplace(peer, now).first;
    it->second = std::max(it->second, now) + unit_ * static_cast<std::int64_t>(units);
  }

  std::size_t size() const { return paid_until_.size(); }

 private:
  static constexpr Duration kBurst = from_ms(1000);

  void forget_silent(Duration now) {
    std::erase_if(paid_until_, [&](const auto& entry) { return entry.second <= now; });
    sweep_at_ = std::max<std::size_t>(64, 2 * paid_until_.size());
  }

  const Duration unit_;
  StringMap<Duration> paid_until_;
  std::size_t sweep_at_ = 64;
};

}  // namespace genai
