// Between the public structs and the protocol's.
#pragma once

#include "genai/client/types.h"
#include "protocol/base/log_event.h"
#include "protocol/wire/client.h"

namespace genai::client {

inline Failure failure_from(const Error& error) {
  return {static_cast<Errc>(error.code), error.detail};
}
Failure bad_task_id(const std::string& text);
/// That nothing has come within Config::timeout; `heard`: something has come before.
Failure no_answer(const Config& config, bool heard);
/// What submission_from() would say against it.
std::optional<Failure> request_problem(const TaskRequest& request);
/// kBadField names the member that cannot be sent as it is; kTooLarge for a payload over its limit.
/// The payload is shared, not copied.
Expected<msg::Submission> submission_from(TaskRequest request, const TaskId& id);
/// A large result shares the memory of the frame it came in.
TaskResult result_from(const msg::Deliver::Entry& entry);
ResultPart part_from(const msg::Fetched& part);
/// A sentence: the event's text, and the values of its fields.
std::string notice_from(const LogEvent& event);
TaskUpdate update_from(const msg::Update::Entry& entry);
Verdict verdict_from(const msg::Verdict& verdict);
Verdict verdict_from(const msg::Acceptance& verdict);
TaskInfo task_from(const ValueMap& map);
NodeInfo node_from(const ValueMap& map);
Stats stats_from(const ValueMap& map);

}  // namespace genai::client
