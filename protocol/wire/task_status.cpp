#include "protocol/wire/task_status.h"

#include <array>

namespace genai {

std::string_view name(TaskStatus status) {
  static constexpr std::array<std::string_view, 6> kNames = {"Unscheduled", "Scheduled", "Sent",
                                                             "Aborted",     "Completed", "Failed"};
  return kNames[static_cast<std::size_t>(status)];
}

}  // namespace genai
