// Virtual time: what is to happen when.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "protocol/base/time.h"

namespace genai::sim {

/// Things due at the same time happen in the order in which they were planned.
class Scheduler {
 public:
  Duration now() const { return now_; }
  void at(Duration when, std::function<void()> what) {
    queue_.push({std::max(when, now_), ++planned_, std::move(what)});
  }
  void in(Duration wait, std::function<void()> what) { at(now_ + wait, std::move(what)); }
  /// False: nothing is planned.
  bool step() {
    if (queue_.empty()) return false;
    // The order of the queue does not depend on what is moved out.
    Planned next = std::move(const_cast<Planned&>(queue_.top()));
    queue_.pop();
    now_ = next.when;
    ++steps_;
    next.what();
    return true;
  }
  std::uint64_t steps() const { return steps_; }

 private:
  struct Planned {
    Duration when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Planned& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  std::priority_queue<Planned> queue_;
  Duration now_{0};
  std::uint64_t planned_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace genai::sim
