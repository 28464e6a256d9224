#include "tools/bench/open_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace genai::bench {

OpenLoop::OpenLoop(const Schedule& schedule, std::size_t batch, std::uint64_t tasks, Duration begin,
                   Duration length)
    : Pacer(batch, std::min(tasks, schedule.due_by(length - Duration(1)))),
      schedule_(schedule),
      begin_(begin) {}

std::size_t OpenLoop::room(Duration now) const {
  const std::uint64_t due = std::min(schedule_.due_by(now - begin_), tasks_);
  if ((due - std::min(due, delivered_tasks())) * schedule_.parts > kMaxOutstanding)
    throw std::runtime_error(
        fmt::format("{} tasks/s are too many: more than {} are due and not delivered",
                    schedule_.rate, kMaxOutstanding));
  return std::min<std::size_t>(batch_, due - std::min<std::uint64_t>(due, submitted()));
}

Duration OpenLoop::next_due() const {
  return submitted() < tasks_ ? begin_ + schedule_.due(submitted()) : kNever;
}

}  // namespace genai::bench
