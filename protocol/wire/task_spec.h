// What a task asks for. On the wire an open map; the keys below are the ones the dispatcher reads.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "protocol/base/limits.h"

namespace genai {

/// Hard filters of placement. Zero and empty mean "not asked".
struct Requirements {
  std::string model;     // must be among the provider's models
  std::string gpu_type;  // must be equal, byte for byte
  std::uint64_t ncpu = 0;
  std::uint64_t ram_mib = 0;
  std::uint64_t vram_mib = 0;

  friend auto operator<=>(const Requirements&, const Requirements&) = default;
};

/// `raw` is the whole map in canonical msgpack, as it goes on to the node: keys this version does
/// not know (params among them) travel there untouched. Decoding fills every member; encoding uses
/// `raw` when it is not empty and the named members otherwise.
struct TaskSpec {
  Requirements needs;
  std::uint64_t ttl_ms =
      limits::kDefaultTtlMs;  // from acceptance to a terminal state; 1..kMaxTtlMs
  std::uint64_t time_limit_ms =
      0;  // of one execution, from the node's ack; 0: the dispatcher's default
  std::uint32_t max_attempts = 0;  // error results before Failed; 0: the dispatcher's default
  std::string label;               // for people, at most kMaxNameBytes

  // Order.
  std::string tenant;  // whom the time is charged to, at most kMaxNameBytes; empty: nobody's own
  std::uint8_t priority = limits::kDefaultPriority;  // 0..kMaxPriority, the highest first
  std::uint64_t not_before_ms = 0;                   // Unix time; 0: at once
  std::uint64_t deadline_ms = 0;                     // Unix time; 0: only ttl_ms counts
  // The same from the acceptance on, by the dispatcher's clock: the sender's clock may be wrong.
  // With both given the later start and the earlier deadline count. 0: not given; up to kMaxTtlMs.
  std::uint64_t start_in_ms = 0;
  std::uint64_t deadline_in_ms = 0;

  // Cost against time.
  double max_cost = kUnlimited;             // providers that ask for more are not eligible
  double time_to_money_ratio = kUnlimited;  // what a second is worth; kUnlimited: cost is no matter
  double work = 0;  // how much there is to do, against other tasks of its model; 0: not said

  static constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  std::string raw;

  friend bool operator==(const TaskSpec&, const TaskSpec&) = default;
};

}  // namespace genai
