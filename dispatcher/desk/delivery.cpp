// Who waits for which result, and when it is dropped. What a client is sent at once, and sent
// again, is in clients.cpp.
#include <algorithm>
#include <utility>

#include "dispatcher/desk/desk.h"
#include "dispatcher/desk/permissions.h"
#include "dispatcher/tasks/result_info.h"
#include "protocol/base/text.h"

namespace genai::dispatcher {
namespace {

/// What was fetched or dropped must not pass for an empty result.
ValueMap delivered_info(const Task& task) {
  ValueMap info = told_info(task);
  if (task.fetched && task.status == TaskStatus::kCompleted) info["result_gone"] = true;
  return info;
}

}  // namespace

void Desk::watch(msg::WatchLevel level, Task& task) {
  if (level == msg::WatchLevel::kNone) return clients_.unwatch(asking_.peer, task);
  tasks_.unsettle(task);
  clients_.watch(asking_.peer, asking_.who->key, level, task);
  if (is_terminal(task.status)) clients_.enqueue(asking_.peer, task);
}

void Desk::on(const msg::Watch& message, const Now& now) {
  msg::Tasks tasks{message.request, {}, false};
  Explanations explanations;
  std::string unknown;
  for (const TaskId& id : message.ids) {
    Task* task = visible(id);
    if (!task) {
      unknown += (unknown.empty() ? "" : " ") + id.str();
      continue;
    }
    watch(message.level, *task);
    settle(*task);
    tasks.tasks.push_back(reports_.task(*task, progress_of(*task), false, now, explanations));
  }
  reply(std::move(tasks));
  if (!unknown.empty())
    reply(msg::ErrorReply{message.request, ErrorCode::kUnknownTask, clip_text(unknown)});
}

const Progress* Desk::progress_of(const Task& task) const {
  const auto progress = progress_.find(task.handle);
  return progress == progress_.end() ? nullptr : &progress->second;
}

void Desk::tell_watchers(const Task& task) {
  if (is_store_full()) return;
  clients_.each_watcher(task, [&](const std::string& peer, msg::WatchLevel level) {
    if (level != msg::WatchLevel::kProgress) return;
    const Progress* progress = progress_of(task);
    tell(desk_event::SendUpdate{
        peer,
        {task.id, task.status, task.is_assigned() ? task.attempt(task.current)->node_id.str() : "",
         progress ? progress->fraction : 0,
         progress && !progress->text.empty() ? progress->text
                                             : clip_text(task.log.back().reason)}});
  });
}

void Desk::handle(task_event::Progressed& event, const Now&) {
  progress_.insert_or_assign(event.task->handle, Progress{event.fraction, std::move(event.text)});
  progressed_.emplace(event.task->sequence, event.task);
}

/// However often a node tells of a task, its watchers hear of it once per tick.
void Desk::tell_progressed() {
  for (const auto& [sequence, task] : std::exchange(progressed_, {}))
    if (task->status == TaskStatus::kSent) tell_watchers(*task);
}

void Desk::handle(const task_event::Ended& event, const Now&) {
  forget_progress(*event.task);
  if (!progressed_.empty()) progressed_.erase(event.task->sequence);
  tell_watchers(*event.task);
  clients_.enqueue(*event.task);
}

void Desk::deliver(const Now& now) {
  for (const std::string& peer : clients_.take_ready()) {
    while (Task* task = clients_.next(peer)) {
      if (task->result.is_apart())
        tell(desk_event::ReadResult{task, peer});
      else
        send_result(peer, *task, task->result.bytes());
      clients_.sent(peer, *task, task->result.size(), now.mono);
    }
  }
}

void Desk::send_result(const std::string& peer, const Task& task, Blob data) {
  tell(desk_event::SendResult{
      peer, {task.id, task.status, task.code, delivered_info(task), std::move(data)}});
}

/// The client may have it by now, or have gone.
void Desk::handle(ResultRead event, const Now&) {
  if (!is_store_full() && clients_.is_on_its_way(event.peer, event.task))
    send_result(event.peer, event.task, std::move(event.bytes));
}

void Desk::on(const msg::DeliverAck& message, const Now&) {
  for (const TaskId& id : message.ids) acknowledge_delivery(id);
}

void Desk::acknowledge_delivery(const TaskId& id) {
  Task* task = tasks_.find_present(id);  // of one that is past all is settled
  if (!task || !may_see(*asking_.who, task->spec.tenant()) || !is_terminal(task->status)) return;
  // Who only watches has not lost what it never got, and others may wait for it.
  const bool counts =
      may(*asking_.who, Right::kSubmit) || clients_.is_on_its_way(asking_.peer, *task);
  clients_.acknowledged(asking_.peer, *task);
  if (counts) clients_.acknowledge(*task);
  settle(*task);
}

/// The data goes when a client has it and no other waits for it.
void Desk::settle(Task& task) {
  if (!is_terminal(task.status) || clients_.is_watched(task)) return;
  if (!task.fetched && !clients_.is_acknowledged(task)) return;
  if (!task.fetched) tell(desk_event::Fetched{&task});
  tasks_.settle(task);
}

// ---- reading without taking away

void Desk::on(const msg::Fetch& message, const Now&) {
  Task* task = visible(message.task_id);
  if (!task)
    return reply(msg::ErrorReply{message.request, ErrorCode::kUnknownTask, message.task_id.str()});
  const std::uint64_t offset = std::min(message.offset, task->result.size());
  const std::uint64_t bytes = std::min(message.bytes, task->result.size() - offset);
  if (!task->result.is_apart() || bytes == 0) {
    const Blob whole = bytes == 0 ? Blob() : task->result.bytes();
    send_part(asking_.peer, message.request, *task, offset,
              whole.sub(whole.view().substr(whole.empty() ? 0 : offset, bytes)));
  } else if (fetches_ >= kMaxFetches || fetches_of_[asking_.peer] >= kMaxFetchesOfOne) {
    slow_down(message.request);
  } else {
    ++fetches_;
    ++fetches_of_[asking_.peer];
    tell(desk_event::ReadPart{task, asking_.peer, message.request, offset, bytes});
  }
  settle(*task);
}

void Desk::send_part(const std::string& peer, std::uint64_t request, const Task& task,
                     std::uint64_t offset, Blob data) {
  tell(desk_event::Reply{peer,
                         msg::Fetched{request, task.id, task.status, task.code,
                                      is_terminal(task.status) ? delivered_info(task) : ValueMap(),
                                      task.result.size(), offset, std::move(data)}});
}

void Desk::handle(PartRead event, const Now&) {
  --fetches_;
  if (const auto it = fetches_of_.find(event.peer); --it->second == 0) fetches_of_.erase(it);
  if (is_store_full())  // what waits for a commit then would pile up
    tell(
        desk_event::Reply{event.peer, msg::ErrorReply{event.request, ErrorCode::kStoreFull,
                                                      "the disk is full: nothing can be written"}});
  else if (!event.bytes)
    tell(desk_event::Reply{event.peer, msg::ErrorReply{event.request, event.bytes.error().code,
                                                       clip_text(event.bytes.error().detail)}});
  else
    send_part(event.peer, event.request, *event.task, event.offset, std::move(*event.bytes));
}

void Desk::handle(const ResultDropped& event, const Now&) {
  if (!clients_.is_watched(*event.task)) tasks_.settle(*event.task);
}

void Desk::handle(const Forgotten& event, const Now&) { clients_.forget(event.task); }

void Desk::handle(const ClientGone& event, const Now&) {
  listings_.forget_peer(event.peer);
  for (Task* task : clients_.remove(event.peer)) settle(*task);
}

/// Who only waits for results asks for nothing, and would wait without knowing why.
void Desk::handle(const fleet_event::Superseded&, const Now&) {
  for (const std::string& peer : clients_.peers())
    tell(desk_event::Reply{peer, msg::ErrorReply{0, ErrorCode::kSuperseded, kSupersededText}});
}

}  // namespace genai::dispatcher
