// What a client is told about when to submit: a window to keep open, or a rate to keep.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>

#include "tools/bench/open_loop.h"
#include "tools/bench/window.h"

namespace genai::bench {

struct Pace {
  std::size_t window = 100;               // tasks submitted and not yet delivered
  std::size_t batch = 32;                 // tasks in a SUBMIT, at most
  std::uint64_t tasks = 1'000'000;        // submits no more than this
  double seconds = 5;                     // nor after this
  std::optional<Schedule> schedule = {};  // instead of the window

  Duration length() const {
    constexpr double kLongest = 1e6;  // days; so that no count of microseconds overflows
    return Duration(static_cast<std::int64_t>(std::min(seconds, kLongest) * 1e6));
  }
  std::unique_ptr<Pacer> start(Duration begin) const {
    if (schedule) return std::make_unique<OpenLoop>(*schedule, batch, tasks, begin, length());
    return std::make_unique<Window>(window, batch, tasks);
  }
};

}  // namespace genai::bench
