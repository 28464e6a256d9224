#include "tools/node/event_log.h"

#include <string_view>
#include <vector>

#include "protocol/runtime/logging.h"
#include "protocol/transport/system.h"

namespace genai::node {
namespace {

using Kind = Event::Kind;
using runtime::LogLevel;

struct Line {
  LogLevel level;
  std::string_view message;
  std::string_view text_key;  // of Event::text
  bool has_run = false;
};

Line line_of(const Event& event) {
  switch (event.kind) {
    case Kind::kJoined:
      return {LogLevel::kInfo, "joined", "with"};
    case Kind::kNoBroker:
      return {LogLevel::kWarn, "no answer from the broker, trying on", "reason"};
    case Kind::kReconnecting:
      return {LogLevel::kWarn, "reconnecting", "reason"};
    case Kind::kRefused:
      return {LogLevel::kWarn, "refused, trying again", "reason"};
    case Kind::kProtocolError:
      return {LogLevel::kWarn, "protocol error", "what"};
    case Kind::kTaskStarted:
      return {LogLevel::kInfo, "task started", ""};
    case Kind::kTaskDone:
      return {LogLevel::kInfo, "task finished", "", true};
    case Kind::kTaskFailed:
      // Its error may quote the payload: whoever may read that asks for the task.
      return {LogLevel::kWarn, "task failed", "", true};
    case Kind::kTaskAborted:
      return {LogLevel::kInfo, "task aborted", "reason", true};
    case Kind::kTaskReturned:
      if (!event.text.empty())
        return {LogLevel::kWarn, "task given back: this node cannot run it", "reason", true};
      return {LogLevel::kInfo, "task given back", "", true};
    case Kind::kLeaving:
      return {LogLevel::kInfo, "leaving", "reason"};
    case Kind::kLeft:
      return {LogLevel::kInfo, "left", "how"};
    case Kind::kSessionReplaced:
      return {LogLevel::kError, "session replaced by another process", "reason"};
  }
  return {LogLevel::kError, "unknown event", ""};
}

}  // namespace

void EventLog::write(const Event& event) {
  const Line line = line_of(event);
  const bool noisy = event.kind == Kind::kRefused || event.kind == Kind::kProtocolError;
  if (noisy && !noisy_.allow(transport::read_clock().mono)) return;
  std::vector<runtime::Field> fields;
  if (!event.task_id.empty()) {
    fields.emplace_back("task_id", event.task_id);
    fields.emplace_back("attempt", event.attempt);
  }
  if (line.has_run) fields.emplace_back("run_ms", event.run_ms);
  if (event.exit_code) fields.emplace_back("exit_code", *event.exit_code);
  if (!event.text.empty() && !line.text_key.empty()) fields.emplace_back(line.text_key, event.text);
  if (const auto suppressed = noisy ? noisy_.take_suppressed() : 0)
    fields.emplace_back("suppressed", suppressed);
  runtime::log_fields(line.level, line.message, fields);
}

}  // namespace genai::node
