// What can go wrong, whether it does under this seed, and how often it did.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "rng.h"

namespace genai::sim {

enum class Fault : std::uint8_t {
  kLoss,       // a frame vanishes
  kDuplicate,  // a frame arrives twice
  kReorder,    // a frame overtakes others
  kDelay,      // a frame, and all behind it, come up to ten leases late
  kOneWay,     // nothing gets from one process to another, the way back is open
  kPartition,  // a process is cut off from one other, or from all
  kBrokerCrash,
  kDispatcherCrash,
  kNodeCrash,
  kClientCrash,
  kUnsynced,  // a crash loses the commit under way
  kIoError,   // a commit fails for good, written or not
  kDiskFull,
  kSlowDisk,
  kReset,            // a connection breaks, and ZeroMQ makes a new one without a word
  kPause,            // a process does not run for up to three leases
  kClockStep,        // the wall clock of a machine jumps
  kStaleSession,     // a second process wants a node id while the first lives on
  kStaleDispatcher,  // a second dispatcher takes over while the first only sleeps
  kImpostor,         // garbage, forged and replayed frames from strangers
  kBurst,            // many tasks at once
  kOperator,         // drains, cancels, priorities, replays, purges, stops
  kLyingNode,        // a node that drops its work, reports what it was not given, holds what is not
};
inline constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::kLyingNode) + 1;
std::string_view name(Fault fault);

/// Each is on with probability 1/4 under a seed; none after heal().
class Faults {
 public:
  explicit Faults(Rng& rng) {
    for (bool& on : on_) on = rng.one_in(4);
  }
  bool on(Fault fault) const { return !healed_ && on_[static_cast<std::size_t>(fault)]; }
  /// Whether it strikes now, with that many percent of probability if it is on; counted.
  bool strikes(Fault fault, Rng& rng, std::uint64_t percent) {
    if (!on(fault) || !rng.percent(percent)) return false;
    count(fault);
    return true;
  }
  void count(Fault fault) { ++counts_[static_cast<std::size_t>(fault)]; }
  void heal() { healed_ = true; }
  bool healed() const { return healed_; }
  const std::array<std::uint64_t, kFaults>& counts() const { return counts_; }

 private:
  std::array<bool, kFaults> on_{};
  std::array<std::uint64_t, kFaults> counts_{};
  bool healed_ = false;
};

}  // namespace genai::sim
