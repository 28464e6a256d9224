// The name of one execution of a task.
#pragma once

#include <compare>
#include <cstdint>

#include "protocol/base/ids.h"

namespace genai {

/// Together with the session that sends it, this is the whole fence (SPEC.md, "Fencing").
struct AssignmentRef {
  TaskId task_id;
  std::uint32_t attempt = 0;  // from 1, grows with each assignment of the task
  std::uint64_t epoch = 0;    // of the dispatcher that assigned the task

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("task_id", task_id);
    ar.uint("attempt", attempt, 1, UINT32_MAX);
    ar.uint("epoch", epoch);
  }

  friend auto operator<=>(const AssignmentRef&, const AssignmentRef&) = default;
};

}  // namespace genai
