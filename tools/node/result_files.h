// The files of a handler's result, and how a RESULT carries them.
#pragma once

#include <optional>
#include <vector>

#include "genai/node.h"
#include "protocol/wire/node.h"

namespace genai::node {

/// Makes the bytes of the files one piece of memory, which all of them share. Copies nothing when
/// they are one already. Returns that piece.
Blob join(std::vector<ResultFile>& files);

/// Returns the result that is reported instead of `result`, which is ok, if that cannot be sent: it
/// is too large, or its files break a rule. Returns nothing if it can be sent.
std::optional<TaskResult> replacement(const TaskResult& result);

/// Moves data, content type and files of `result`, which is ok and has no replacement, into
/// `entry`.
void fill(TaskResult result, msg::Result::Entry& entry);

}  // namespace genai::node
