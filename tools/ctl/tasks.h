// How a task is told of, in lines and in table cells.
#pragma once

#include "genai/client.h"

namespace genai::ctl {

/// On stdout: its status, counters and log, in several lines.
void print_task(const client::TaskInfo& task);

/// Where the result of a Completed task is, behind the words that say who completed it; empty when
/// the dispatcher does not tell.
std::string result_remark(const client::TaskInfo& task);

}  // namespace genai::ctl
