// The life cycle of a task as one table: which step may be taken in which status, and the status
// after it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/wire/task_status.h"

namespace genai::dispatcher {

enum class Step : std::uint8_t {
  kAssign,       // a provider was picked
  kAcknowledge,  // its node has taken the task
  kKeep,         // the node of an earlier attempt still has the task: that attempt counts again
  kRequeue,      // the attempt is over and the task is not
  kRecover,      // the dispatcher was restarted: the node of the attempt may still report
  kComplete,
  kFail,
  kAbort,
};
inline constexpr std::size_t kSteps = 8;

inline std::string_view name(Step step) {
  static constexpr std::array<std::string_view, kSteps> kNames = {
      "assign", "acknowledge", "keep", "requeue", "recover", "complete", "fail", "abort"};
  return kNames[static_cast<std::size_t>(step)];
}

namespace edges {
using S = TaskStatus;
inline constexpr std::optional<TaskStatus> kNo;
// In the order of TaskStatus; the columns are in the order of Step.
inline constexpr std::array<std::array<std::optional<TaskStatus>, kSteps>, kMaxTaskStatus + 1>
    kTable = {{
        // clang-format off
        // assign         acknowledge  keep      requeue            recover            complete        fail        abort
        {{S::kScheduled,  kNo,         S::kSent, kNo,               S::kUnscheduled,   S::kCompleted,  S::kFailed, S::kAborted}},  // Unscheduled
        {{kNo,            S::kSent,    kNo,      S::kUnscheduled,   S::kUnscheduled,   S::kCompleted,  S::kFailed, S::kAborted}},  // Scheduled
        {{kNo,            kNo,         kNo,      S::kUnscheduled,   S::kUnscheduled,   S::kCompleted,  S::kFailed, S::kAborted}},  // Sent
        {{kNo,            kNo,         kNo,      kNo,               kNo,               kNo,            kNo,        kNo}},          // Aborted
        {{kNo,            kNo,         kNo,      kNo,               kNo,               kNo,            kNo,        kNo}},          // Completed
        {{kNo,            kNo,         kNo,      kNo,               kNo,               kNo,            kNo,        kNo}},          // Failed
        // clang-format on
    }};
}  // namespace edges

/// The status after the step; none: the step is illegal there.
constexpr std::optional<TaskStatus> edge(TaskStatus from, Step step) {
  return edges::kTable[static_cast<std::size_t>(from)][static_cast<std::size_t>(step)];
}

}  // namespace genai::dispatcher
