// What nodes say of results, and how much of it is kept: a node may send anything in it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "dispatcher/tasks/task.h"
#include "protocol/base/value.h"

namespace genai::dispatcher {

/// In the info of a Completed task: nobody fetched its result in time, and the data is gone.
inline constexpr std::string_view kResultDropped = "result_dropped";

/// Drops those of a node's keys that have another type than SPEC.md says, and returns their names,
/// separated by commas. The result itself counts all the same: its node would repeat it for ever.
std::string drop_mistyped(ValueMap& info);
/// Neither text, bytes, list nor map: of a size that its sender cannot choose.
bool is_scalar(const Value& value);
/// What it takes while it is held, which can be forty times of what it took on the wire.
std::size_t memory_of(const ValueMap& map);
/// Room for our own keys, which are not a node's to say: it may fill its info to the limit of a
/// map, and what a client cannot decode could never be delivered.
void trim_info(ValueMap& info);
/// What is told of a task that has ended, and stored: what its node said, and attempts, node_id,
/// total_ms and queued_ms.
ValueMap told_info(const Task& task);
/// Of that what is ours to say; empty of a task of an earlier process, whose info has it.
ValueMap own_info(const Task& task);
/// Drops what SPEC.md does not know when it takes more than the text that it may be. The list of
/// the files has a bound of its own, which drop_mistyped() keeps.
void bound_info(ValueMap& info);
/// Drops what is not known, the files that were fetched or dropped, and clips the error: what is
/// told of a task that was fetched.
void keep_known_info(ValueMap& info);

}  // namespace genai::dispatcher
