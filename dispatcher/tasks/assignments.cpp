#include "dispatcher/tasks/assignments.h"

#include <algorithm>

#include "protocol/base/check.h"

namespace genai::dispatcher {

bool Assignee::is_executing(const Task& task) const {
  std::size_t position = 0;
  for (const Task* one : tasks) {
    if (one->status != TaskStatus::kSent) continue;
    if (one == &task) return position < slots;
    ++position;
  }
  return false;
}

Assignee* Assignments::find(const SessionId& session) {
  const auto it = sessions_.find(session);
  return it == sessions_.end() ? nullptr : &it->second;
}

Assignee& Assignments::open(const SessionId& session) {
  const auto [it, inserted] = sessions_.try_emplace(session);
  GENAI_CHECK(inserted);
  it->second.session = session;
  return it->second;
}

void Assignments::close(const SessionId& session) {
  const auto it = sessions_.find(session);
  GENAI_CHECK(it != sessions_.end() && it->second.tasks.empty());
  sessions_.erase(it);
}

void Assignments::take(Assignee& assignee, const Task& task) {
  const auto it = std::ranges::find(assignee.tasks, &task);
  GENAI_CHECK(it != assignee.tasks.end());
  assignee.tasks.erase(it);
}

bool Assignments::abort(Assignee& assignee, const AssignmentRef& ref, ErrorCode code,
                        Duration resend_at) {
  if (!assignee.aborts.emplace(ref, Assignee::Abort{code, resend_at}).second) return false;
  resends_.emplace(resend_at, std::pair{assignee.session, ref});
  return true;
}

void Assignments::resend_aborts(
    Duration now, Duration interval,
    const std::function<void(const Assignee&, const AssignmentRef&, ErrorCode)>& resend) {
  while (!resends_.empty() && resends_.begin()->first <= now) {
    const auto [due, who] = *resends_.begin();
    resends_.erase(resends_.begin());
    const auto& [session, ref] = who;
    Assignee* assignee = find(session);
    if (!assignee) continue;
    const auto abort = assignee->aborts.find(ref);
    // An attempt that was acknowledged and aborted again has a later entry of its own.
    if (abort == assignee->aborts.end() || abort->second.resend_at != due) continue;
    abort->second.resend_at = now + interval;
    resends_.emplace(abort->second.resend_at, who);
    resend(*assignee, ref, abort->second.code);
  }
}

void Assignments::check() const {
  for (const auto& [session, assignee] : sessions_)
    for (const Task* task : assignee.tasks) {
      GENAI_CHECK(task->is_assigned());
      GENAI_CHECK(task->attempt(task->current)->session == session);
    }
}

}  // namespace genai::dispatcher
