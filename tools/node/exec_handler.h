// genai-node --exec: a handler that runs one command per task.
#pragma once

#include <chrono>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "genai/node.h"

namespace genai::node {

struct ExecOptions {
  std::string command;
  std::chrono::seconds task_timeout{0};  // 0: none, but for the task's own limit
  std::string content_type;
};

Handler exec_handler(ExecOptions options);

/// The variables of `inherited` ("NAME=value", null-terminated) but GENAI_..., then those of the
/// task: GENAI_TASK_ID, GENAI_ATTEMPT, GENAI_MODEL, GENAI_LABEL and GENAI_PARAM_<KEY>. In the key
/// letters become upper case and what is neither letter nor digit becomes '_'. The error says what
/// cannot be told to a program so: two keys that become the same, a value that holds a NUL byte.
tl::expected<std::vector<std::string>, std::string> task_environment(const Task& task,
                                                                     const char* const* inherited);

/// `task_timeout` if it ends before the task's own limit, which the library keeps; else 0: none.
std::chrono::milliseconds command_time_limit(const Task& task, std::chrono::seconds task_timeout);

}  // namespace genai::node
