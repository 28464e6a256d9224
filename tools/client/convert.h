// Between the public structs and the protocol's.
#pragma once

#include "protocol/wire/messages.h"
#include "tools/client/include/genai/client.h"

namespace genai::client {

/// kBadField names the member that cannot be sent as it is; kTooLarge for a payload over its limit.
Expected<msg::Submission> submission_from(const TaskRequest& request, const TaskId& id);
TaskResult result_from(const msg::Deliver::Entry& entry);
TaskUpdate update_from(const msg::Update::Entry& entry);
Verdict verdict_from(const msg::Verdict& verdict);
Verdict verdict_from(const msg::Acceptance& verdict);
TaskInfo task_from(const ValueMap& map);
NodeInfo node_from(const ValueMap& map);
Stats stats_from(const ValueMap& map);

}  // namespace genai::client
