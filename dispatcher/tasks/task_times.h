// When a task may start and by when it must have ended: what its spec says, on this process's
// clock.
#pragma once

#include <algorithm>

#include "dispatcher/tasks/task.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// The spec may name a Unix time, and a span that begins with the acceptance.
/// The later start counts.
inline Duration earliest_start(const TaskSpec& spec, Duration accepted_at, const Now& now) {
  const Duration named = now.mono + (from_ms(spec.not_before_ms) - now.wall);
  return std::max(accepted_at + from_ms(spec.start_in_ms), named);
}

/// Sets when the task must have ended; `accepted_at` must be set. The earlier deadline counts. The
/// ttl of a task that is to start later begins with its start.
inline void set_deadlines(Task& task, const TaskSpec& spec, const Now& now) {
  Duration deadline = kNever;
  if (spec.deadline_in_ms != 0) deadline = task.accepted_at + from_ms(spec.deadline_in_ms);
  if (spec.deadline_ms != 0)
    deadline = std::min(deadline, now.mono + (from_ms(spec.deadline_ms) - now.wall));
  task.expires_at =
      std::min(earliest_start(spec, task.accepted_at, now) + from_ms(spec.ttl_ms), deadline);
  task.has_near_deadline = deadline <= task.expires_at;
}

/// Sets the times of a task that an earlier process accepted.
inline void take_up(Task& task, const Now& now) {
  // What seems to lie in the future (the clock was set back) happened just now.
  const auto mono_of = [&](std::uint64_t unix_ms) {
    return now.mono - std::max(now.wall - from_ms(unix_ms), Duration{0});
  };
  task.accepted_at = mono_of(task.created_ms);
  if (task.ended_ms != 0) task.ended_at = mono_of(task.ended_ms);
  task.fetched_at = now.mono;
  // What is stored of an end is all that is told of it.
  task.is_told_whole = is_terminal(task.status) && task.info.contains("attempts");
  if (!is_terminal(task.status)) set_deadlines(task, task.spec.whole(), now);
}

}  // namespace genai::dispatcher
