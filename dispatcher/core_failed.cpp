// What clients do with Failed tasks: begin them anew, or forget them.
#include <string>
#include <utility>

#include "dispatcher/core.h"

namespace genai::dispatcher {

void Core::on_client(const std::string& peer, const msg::Replay& message, const Now& now) {
  msg::Accepted accepted{message.request, {}};
  for (const auto& entry : message.entries) accepted.verdicts.push_back(replay(peer, entry, now));
  outbox_.reply(peer, std::move(accepted));
}

/// A Failed task stays what it is; its content starts anew under another id.
msg::Acceptance Core::replay(const std::string& peer, const msg::Replay::Entry& entry,
                             const Now& now) {
  Task* failed = visible(entry.of);
  if (!failed) return {entry.as, ErrorCode::kUnknownTask, "no task " + entry.of.str()};
  if (failed->status != TaskStatus::kFailed)
    return {entry.as, ErrorCode::kNotFailed, std::string(name(failed->status))};
  if (const TaskView known = tasks_.peek(entry.as)) {
    if (known->digest == failed->digest && known.get() != failed)
      return {entry.as, ErrorCode::kOk, ""};
    return {entry.as, ErrorCode::kIdConflict, "this id was accepted with another content"};
  }
  TaskSpec spec = failed->spec.whole();
  if (auto refusal = refusal_of(peer, entry.as, spec, failed->content_bytes(), now))
    return std::move(*refusal);
  Task& added = admit(entry.as, std::move(spec), failed->payload, failed->digest,
                      "replay of " + entry.of.str(), now);
  tasks_.annotate(*failed, "replayed as " + entry.as.str(), now);
  return acceptance(added, now);
}

void Core::on_client(const std::string& peer, const msg::Purge& message, const Now&) {
  msg::Purged purged{message.request, {}};
  for (const TaskId& id : message.ids) purged.verdicts.push_back(purge(id));
  outbox_.reply(peer, std::move(purged));
}

msg::Verdict Core::purge(const TaskId& id) {
  Task* task = visible(id);
  if (!task) return {id, ErrorCode::kUnknownTask, "no task with this id"};
  if (task->status != TaskStatus::kFailed)
    return {id, ErrorCode::kNotFailed, std::string(name(task->status))};
  unlink(task->handle);
  tasks_.erase(*task);
  return {id, ErrorCode::kOk, ""};
}

}  // namespace genai::dispatcher
