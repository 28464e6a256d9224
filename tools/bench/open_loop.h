// An open loop: a client whose tasks come when they come, as those of people do.
#pragma once

#include "tools/bench/pacer.h"
#include "tools/bench/schedule.h"

namespace genai::bench {

/// Tasks of all clients that are due and not delivered, at most: above it the rate is more than the
/// dispatcher (or this client) can do, and any time measured would only say how long one waited.
inline constexpr std::uint64_t kMaxOutstanding = 100'000;

/// Times count from when a task was due, not from its SUBMIT. A client that is late sends what is
/// due at once: to leave it out, or to time it from then, would hide just the waits that the
/// dispatcher caused (coordinated omission).
class OpenLoop : public Pacer {
 public:
  /// Tasks due within `length` of `begin`, and `tasks` of them at most.
  OpenLoop(const Schedule& schedule, std::size_t batch, std::uint64_t tasks, Duration begin,
           Duration length);

  /// Throws std::runtime_error when more than this client's share of kMaxOutstanding are.
  std::size_t room(Duration now) const override;
  Duration next_due() const override;
  void close() override {}  // what was due in time is sent however late

 private:
  Duration begin_of(std::size_t number, Duration) const override {
    return begin_ + schedule_.due(number);
  }

  const Schedule schedule_;
  const Duration begin_;
};

}  // namespace genai::bench
