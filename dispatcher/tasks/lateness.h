// Whether a task will make its ttl and its deadline.
#pragma once

#include <string>

#include "dispatcher/tasks/task.h"
#include "protocol/wire/client.h"

namespace genai::dispatcher {

/// Why a task that has not ended will probably, or certainly, be Failed for its
/// ttl or deadline; empty if it should make it, or nothing is known. It may
/// start at `not_before`. For people: "expected to end in 3 h 10 min, its ttl
/// ends in 20 min".
std::string lateness(const Task& task, Duration not_before, const msg::Estimate& estimate,
                     const Now& now);

/// The two largest units of a span: "3 h 10 min", "20 min", "1 min 5 s", "250 ms".
std::string span_text(Duration span);

}  // namespace genai::dispatcher
