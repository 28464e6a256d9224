// How often tasks were delivered by the time that the dispatcher named when it accepted them.
#pragma once

#include <cmath>
#include <cstdint>
#include <unordered_map>

#include "protocol/base/time.h"
#include "protocol/wire/client.h"

namespace genai::bench {

/// Not thread-safe.
class Calibration {
 public:
  /// The client read the verdict on its task `number` at `now`. One without an estimate is left
  /// out.
  void accepted(std::size_t number, const msg::Estimate& estimate, Duration now) {
    if (estimate != msg::Estimate{}) due_.emplace(number, now + from_ms(estimate.finish_p95_ms));
  }
  /// Each task once.
  void delivered(std::size_t number, Duration now) {
    const auto due = due_.find(number);
    if (due == due_.end()) return;
    ++delivered_;
    held_ += now <= due->second;
    due_.erase(due);
  }
  /// What was delivered to a client that ran at the same time.
  void add(const Calibration& other) {
    delivered_ += other.delivered_;
    held_ += other.held_;
  }

  /// Of the tasks delivered that had an estimate, the share that kept its p95; NaN without any.
  double p95_held() const {
    if (delivered_ == 0) return std::nan("");
    return static_cast<double>(held_) / static_cast<double>(delivered_);
  }

 private:
  std::unordered_map<std::size_t, Duration> due_;  // not delivered yet
  std::uint64_t delivered_ = 0, held_ = 0;
};

}  // namespace genai::bench
