// The status of a task (SPEC.md, "Life of a task").
#pragma once

#include <cstdint>
#include <string_view>

namespace genai {

enum class TaskStatus : std::uint8_t {
  kUnscheduled = 0,
  kScheduled = 1,
  kSent = 2,
  kAborted = 3,
  kCompleted = 4,
  kFailed = 5,
};
inline constexpr std::uint8_t kMaxTaskStatus = 5;
std::string_view name(TaskStatus status);
constexpr bool is_terminal(TaskStatus s) { return s >= TaskStatus::kAborted; }

}  // namespace genai
