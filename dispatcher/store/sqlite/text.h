// Lists of a task's row as JSON text, so that the sqlite3 shell can read them (json_each).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dispatcher/tasks/task.h"
#include "protocol/base/errors.h"

namespace genai::dispatcher::store {

/// [[at_ms, status, reason, node_id, attempt], ...]
std::string log_text(const TaskLog& log);
Expected<TaskLog> parse_log(std::string_view text);

/// [[number, epoch, session in hex, node_id, failed 0/1, open 0/1, drained 0/1], ...], the last
/// of which files of before version 4 lack.
std::string attempts_text(const std::vector<IssuedAttempt>& attempts);
Expected<std::vector<IssuedAttempt>> parse_attempts(std::string_view text);

}  // namespace genai::dispatcher::store
