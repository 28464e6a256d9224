// What happens to tasks: Lifecycle tells it, the others follow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "dispatcher/tasks/malformed.h"
#include "dispatcher/tasks/task.h"
#include "protocol/base/log_event.h"
#include "protocol/wire/assignment_ref.h"
#include "protocol/wire/task_spec.h"

namespace genai::dispatcher {

/// Why an attempt ended without a result: who is to blame, and so which counter grows.
enum class Cause : std::uint8_t { kFault, kLoss, kDrain, kNobody };

/// How a node has behaved in one attempt, or in general.
enum class Conduct : std::uint8_t {
  kError,       // an error result
  kImpossible,  // the same, and it would have come from any node
  kSlow,        // no answer to an assignment, or no result within the time limit
  kCrashed,     // was lost, on its own, while it executed the task
  kDropped,     // acknowledged a task and does not have it any more
  kFull,        // refused: no room
  kRefused,     // refused for another reason, gave a task back, or could not be reached
  kUnfit,       // says that it can run nothing now
  kLeaving,     // says that it takes no more
};

/// Each names its task while the task is as the event says, and until the next event is handled.
namespace task_event {

struct Accepted {
  static constexpr std::string_view kName = "task accepted";
  Task* task;
  const TaskSpec* spec;  // as it was submitted
};
struct Assigned {
  static constexpr std::string_view kName = "task assigned";
  Task* task;
  SessionId session;
};
/// The node has it. `kept`: it was Unscheduled, and its earlier attempt counts again.
struct Acknowledged {
  static constexpr std::string_view kName = "task acknowledged";
  Task* task;
  SessionId session;
  bool kept;
  bool was_recovering;
};
/// Unscheduled again. `from`: the session that had it; none if it waited for a node to report it.
struct Requeued {
  static constexpr std::string_view kName = "task requeued";
  Task* task;
  SessionId from;
  Cause cause;
};
/// Terminal. `was`: its status before, with `from` as above, and whether it was recovering then.
struct Ended {
  static constexpr std::string_view kName = "task ended";
  Task* task;
  TaskStatus was;
  bool was_recovering;
  SessionId from;
  // Of a result:
  SessionId by;           // of an attempt there
  bool is_late;           // which had been given up
  std::uint64_t load_ms;  // how long the node has loaded a model
};
struct Progressed {
  static constexpr std::string_view kName = "task progressed";
  Task* task;
  double fraction;
  std::string text;
};
/// It waits on with another priority.
struct Reprioritised {
  static constexpr std::string_view kName = "task reprioritised";
  Task* task;
};
/// The session occupies itself with so many attempts that were aborted.
struct Aborting {
  static constexpr std::string_view kName = "session aborting";
  SessionId session;
  std::size_t attempts;
};
struct Behaved {
  static constexpr std::string_view kName = "session behaved";
  SessionId session;
  Conduct conduct;
  const Task* task;  // of kError, kImpossible and kCrashed: still with its node
  std::string said;  // by the node, of kUnfit
};
/// All that the session had was requeued or has ended: it can be forgotten.
struct SessionEnded {
  static constexpr std::string_view kName = "session ended";
  SessionId session;
  std::size_t had;  // so many tasks
  Cause cause;
  bool is_crash;
};

// To the node of the session.
struct SendAssign {
  static constexpr std::string_view kName = "send ASSIGN";
  SessionId session;
  Task* task;
  AssignmentRef ref;
};
struct SendAbort {
  static constexpr std::string_view kName = "send ABORT";
  SessionId session;
  AssignmentRef ref;
  ErrorCode code;
  bool again;  // an earlier one was not acknowledged
};
struct SendKeep {
  static constexpr std::string_view kName = "send KEEP";
  SessionId session;
  AssignmentRef ref;
};
struct SendResultAck {
  static constexpr std::string_view kName = "send RESULT_ACK";
  SessionId session;
  AssignmentRef ref;
  ErrorCode code;
};

}  // namespace task_event

using TaskEvent =
    std::variant<task_event::Accepted, task_event::Assigned, task_event::Acknowledged,
                 task_event::Requeued, task_event::Ended, task_event::Progressed,
                 task_event::Reprioritised, task_event::Aborting, task_event::Behaved,
                 task_event::SessionEnded, task_event::SendAssign, task_event::SendAbort,
                 task_event::SendKeep, task_event::SendResultAck, Malformed, LogEvent>;

}  // namespace genai::dispatcher
