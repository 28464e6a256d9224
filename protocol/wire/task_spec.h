// The wishes of a task. They are sent as an open map; the dispatcher reads only the keys below.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "protocol/base/limits.h"

namespace genai {

/// Hard filters of placement. Zero and empty mean: no such requirement.
struct Requirements {
  std::string model;     // one of the provider's models
  std::string gpu_type;  // equal to the provider's, byte for byte
  std::uint64_t ncpu = 0;
  std::uint64_t ram_mib = 0;
  std::uint64_t vram_mib = 0;

  friend auto operator<=>(const Requirements&, const Requirements&) = default;
};

/// `raw` is the whole map in canonical msgpack, and the node gets exactly that: also keys that this
/// version does not know, and params. Decoding fills every member. Encoding uses `raw` if it is not
/// empty, and else the named members.
struct TaskSpec {
  Requirements needs;
  std::uint64_t ttl_ms =
      limits::kDefaultTtlMs;  // from acceptance to a terminal state; 1..kMaxTtlMs
  std::uint64_t time_limit_ms =
      0;  // of one execution, from the node's ack; 0: the dispatcher's default
  std::uint32_t max_attempts = 0;  // error results until Failed; 0: the dispatcher's default
  std::string label;               // for people, at most kMaxNameBytes

  // Order and time.
  std::string tenant;  // who pays for the time; at most kMaxNameBytes; empty: no tenant
  std::uint8_t priority = limits::kDefaultPriority;  // 0..kMaxPriority, the highest first
  std::uint64_t not_before_ms = 0;                   // Unix time; 0: at once
  std::uint64_t deadline_ms = 0;                     // Unix time; 0: only ttl_ms counts
  // The same two, from the acceptance on, by the dispatcher's clock: the sender's may be wrong. If
  // both are given, the later start and the earlier deadline count. 0: not given; up to kMaxTtlMs.
  std::uint64_t start_in_ms = 0;
  std::uint64_t deadline_in_ms = 0;

  // Cost against time.
  double max_cost = kUnlimited;             // providers whose min_cost is higher do not fit
  double time_to_money_ratio = kUnlimited;  // the price of a second; kUnlimited: cost is ignored
  double work = 0;  // its size, compared with other tasks of its model; 0: not said

  static constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  std::string raw;

  friend bool operator==(const TaskSpec&, const TaskSpec&) = default;
};

}  // namespace genai
