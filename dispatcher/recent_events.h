// The last things that happened, to be told when the process finds that its state is wrong.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/ids.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// A ring. Not thread-safe.
class RecentEvents {
 public:
  /// `what` must last; `task`: its sequence, 0: none.
  void add(Duration at, std::string_view what, std::uint64_t task = 0,
           const SessionId& session = {}) {
    events_[added_++ % kKept] = {at, what, task, session};
  }
  /// One line for each, the oldest first.
  std::string story() const;

 private:
  static constexpr std::size_t kKept = 256;
  struct Event {
    Duration at{0};
    std::string_view what;
    std::uint64_t task = 0;
    SessionId session;
  };
  std::array<Event, kKept> events_;
  std::uint64_t added_ = 0;
};

}  // namespace genai::dispatcher
