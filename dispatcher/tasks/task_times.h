// When a task may start and by when it must have ended: what its spec says, on this process's
// clock.
#pragma once

#include <algorithm>

#include "dispatcher/tasks/task.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// The spec may name a Unix time, and a span that begins with the acceptance. The later start
/// counts.
inline Duration earliest_start(const Task& task, const Now& now) {
  const Duration named = now.mono + (from_ms(task.spec.not_before_ms) - now.wall);
  return std::max(task.accepted_at + from_ms(task.spec.start_in_ms), named);
}

/// Sets when the task must have ended; `accepted_at` must be set. The earlier deadline counts. The
/// ttl of a task that is to start later begins with its start.
inline void set_deadlines(Task& task, const Now& now) {
  const TaskSpec& spec = task.spec;
  task.deadline = kNever;
  if (spec.deadline_in_ms != 0) task.deadline = task.accepted_at + from_ms(spec.deadline_in_ms);
  if (spec.deadline_ms != 0)
    task.deadline = std::min(task.deadline, now.mono + (from_ms(spec.deadline_ms) - now.wall));
  task.expires_at = std::min(earliest_start(task, now) + from_ms(spec.ttl_ms), task.deadline);
}

}  // namespace genai::dispatcher
