// What a broker counts and measures of itself, asked for over its link now and then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "protocol/base/errors.h"
#include "protocol/base/value.h"

namespace genai::dispatcher {

/// Of the broker process at one link; begin anew with each. Not thread-safe. Pure.
class BrokerMetrics {
 public:
  /// Heartbeats from an answer to the next question, and from a question that was not answered: it
  /// may have been lost.
  static constexpr std::uint32_t kAskAgain = 5;
  static constexpr std::uint32_t kGiveUp = 60;

  /// A heartbeat is being sent. Whether the broker should be asked with it.
  bool on_heartbeat() {
    if (is_older_ || --beats_left_ > 0) return false;
    beats_left_ = kGiveUp;
    return is_asked_ = true;
  }
  void on_answer(ValueMap metrics) {
    latest_ = std::move(metrics);
    is_asked_ = false;
    beats_left_ = kAskAgain;
  }
  /// The broker answered something with an error. Whether that was the question: then it is of a
  /// release that does not know it, and is not asked again.
  bool on_error(ErrorCode code) {
    if (!is_asked_ || code != ErrorCode::kUnknownType) return false;
    is_asked_ = false;
    return is_older_ = true;
  }

  /// As it answered last; empty: it has not.
  const ValueMap& latest() const { return latest_; }

 private:
  ValueMap latest_;
  std::uint32_t beats_left_ = 1;
  bool is_asked_ = false, is_older_ = false;
};

}  // namespace genai::dispatcher
