// What clients ask, and how results get to them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dispatcher/core.h"
#include "dispatcher/desk/permissions.h"
#include "dispatcher/desk/reports.h"
#include "dispatcher/tasks/lateness.h"
#include "dispatcher/tasks/result_info.h"
#include "dispatcher/tasks/task_times.h"
#include "protocol/base/overloaded.h"
#include "protocol/base/planted.h"
#include "protocol/base/text.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher {
namespace {

template <class M>
std::size_t units_of(const M& message) {
  constexpr std::size_t kLeast = 10;
  if constexpr (M::kKind.cost == Cost::kFlat)
    return kLeast;  // how long the answer gets shows later
  else if constexpr (requires { message.ids; })
    return kLeast + message.ids.size();
  else
    return kLeast + message.entries.size();
}

// What reading may have cost here, its sender pays: of a refusal, and of fields of a newer release
// that are passed over.
constexpr std::size_t kReadBytesPerUnit = 1000;

/// Only a SUBMIT may be large.
Expected<ClientRequest> decode_client(const Blob& frame) {
  if (frame.size() > limits::kMaxControlFrameBytes) {
    const auto type = peek_type(frame.view(), Direction::kFromClient);
    if (!type) return tl::unexpected(type.error());
    if (*type != msg::Submit::kKind.number)
      return fail(ErrorCode::kTooLarge, "frame: larger than 1 MiB");
  }
  return decode<ClientRequest>(frame);
}

/// What the key says the client need not, and it lasts as if the client had said it: within the
/// same limits.
std::optional<Error> set_tenant(TaskSpec& spec, const std::string& tenant) {
  ValueMap map = *decode_map(spec.raw);
  map["tenant"] = tenant;
  std::string raw = encode_map(map);
  if (map.size() > limits::kMaxMapEntries || raw.size() > limits::kMaxSpecBytes)
    return Error{
        ErrorCode::kTooLarge,
        fmt::format("spec: no room for the tenant of the key: more than {} keys or {} bytes",
                    limits::kMaxMapEntries, limits::kMaxSpecBytes)};
  spec.raw = std::move(raw);
  spec.tenant = tenant;
  return std::nullopt;
}

/// What was fetched or dropped must not pass for an empty result.
ValueMap delivered_info(const Task& task) {
  ValueMap info = told_info(task);
  if (task.fetched && task.status == TaskStatus::kCompleted) info["result_gone"] = true;
  return info;
}

}  // namespace

void Core::on_client_frame(const std::string& peer, const Identity& who, const Blob& frame,
                           const Now& now) {
  asker_ = &who;
  // A connection is one key's; whoever comes under its name with another one is somebody else.
  if (clients_.is_anothers(peer, who.key)) on_client_gone(peer, now);
  // A key that is good for nothing here is worth no decoding.
  if (!may(who, Right::kNone))
    return refuse_client(peer, peek_request(frame.view()),
                         {ErrorCode::kNotAllowed, "this key is not authorized for a client"}, now);
  if (frame.size() > limits::kMaxControlFrameBytes && !rates_.may_ask(payer(who, peer), now.mono))
    return slow_down(peer, peek_request(frame.view()));
  auto message = decode_client(frame);
  if (!message) {
    refuse_client(peer, peek_request(frame.view()), message.error(), now);
    return rates_.charge(payer(who, peer), frame.size() / kReadBytesPerUnit, now.mono);
  }
  if (!std::holds_alternative<msg::Submit>(*message))
    rates_.charge(payer(who, peer), frame.size() / kReadBytesPerUnit, now.mono);
  std::visit(Overloaded{[&](msg::ErrorReply& error) { on_client(peer, error, now); },
                        [&](auto& request) { serve(peer, request, now); }},
             *message);
}

/// By what its kind says: who may, what it costs, and whether it can be answered without the store.
template <class M>
void Core::serve(const std::string& peer, M& request, const Now& now) {
  if (!may(*asker_, M::kKind.right)) return refuse_role(peer, request, now);
  if constexpr (M::kKind.cost != Cost::kFree) {
    if (!rates_.may_ask(payer(*asker_, peer), now.mono)) return slow_down(peer, request.request);
    rates_.charge(payer(*asker_, peer), units_of(request), now.mono);
  }
  if constexpr (M::kKind.needs == Needs::kStore)
    if (is_store_full()) return refuse_unwritten(peer, request.request);
  on_client(peer, request, now);
}

void Core::on_malformed_client(const std::string& peer, const Identity& who, const Now& now) {
  asker_ = &who;
  refuse_client(peer, 0, not_a_message(), now);
}

void Core::refuse_client(const std::string& peer, std::uint64_t request, Error error,
                         const Now& now) {
  constexpr std::size_t kUnits = 100;
  ++malformed_total_;
  if (!rates_.may_ask(payer(*asker_, peer), now.mono)) return;
  rates_.charge(payer(*asker_, peer), kUnits, now.mono);
  outbox_.note({LogEvent::Level::kDebug, "client refused", {{"error", error.detail}}});
  outbox_.reply(peer, msg::ErrorReply{request, error.code, clip_text(error.detail)});
}

void Core::slow_down(const std::string& peer, std::uint64_t request) {
  outbox_.reply(peer, msg::ErrorReply{request, ErrorCode::kSlowDown,
                                      "this key or connection asks for more than a second allows"});
}

template <class M>
void Core::refuse_role(const std::string& peer, const M& message, const Now& now) {
  std::uint64_t request = 0;
  if constexpr (requires { message.request; }) request = message.request;
  refuse_client(peer, request,
                {ErrorCode::kNotAllowed, "the roles of this key do not include this request"}, now);
}

/// The task, if it exists for whoever asks: those of other tenants are not known.
Task* Core::visible(const TaskId& id) {
  Task* task = tasks_.find(id);
  const bool shown =
      task && (may_see(*asker_, task->spec.tenant()) || GENAI_PLANTED(kSeeOtherTenants));
  return shown ? task : nullptr;
}

void Core::on_keys_revoked(const KeySet& keys, const Now& now) {
  listings_.forget(keys);
  for (const std::string& peer : clients_.peers_with(keys)) {
    on_client_gone(peer, now);
    outbox_.reply(peer, msg::ErrorReply{0, ErrorCode::kNotAllowed, "this key was revoked"});
  }
}

void Core::refuse_unwritten(const std::string& peer, std::uint64_t request) {
  outbox_.reply(peer, msg::ErrorReply{request, ErrorCode::kStoreFull,
                                      "the disk is full: nothing can be written"});
}

void Core::note_malformed(const char* text, const std::string& key, const std::string& who,
                          const Error& error, const Now& now) {
  ++malformed_total_;
  if (!malformed_notes_.allow(now.mono)) return;
  const std::uint64_t suppressed = malformed_notes_.take_suppressed();
  outbox_.note({LogEvent::Level::kWarn,
                text,
                {{key, who}, {"error", error.detail}, {"more_not_shown", suppressed}}});
}

void Core::on_client_gone(const std::string& peer, const Now& now) {
  for (Task* task : clients_.remove(peer)) {
    settle_delivery(*task, now);
  }
}

// ---- submit
// --------------------------------------------------------------------------------------

void Core::on_client(const std::string& peer, msg::Submit& message, const Now& now) {
  msg::Accepted accepted{message.request, {}};
  const bool alone = message.tasks.size() == 1;
  std::size_t refused_bytes = 0;  // the queue bounds the others
  for (msg::Submission& submission : message.tasks) {
    const std::size_t bytes = submission.payload.size() + submission.spec.raw.size();
    accepted.verdicts.push_back(submit(peer, message.watch, submission, alone, now));
    if (accepted.verdicts.back().code != ErrorCode::kOk) refused_bytes += bytes;
  }
  rates_.charge(payer(*asker_, peer), refused_bytes / kReadBytesPerUnit, now.mono);
  outbox_.reply(peer, std::move(accepted));
}

msg::Acceptance Core::submit(const std::string& peer, msg::WatchLevel level,
                             msg::Submission& submission, bool alone, const Now& now) {
  const auto refuse = [&](ErrorCode code, std::string detail) {
    return msg::Acceptance{submission.task_id, code, std::move(detail)};
  };
  if (is_bound(*asker_) && submission.spec.tenant != asker_->tenant) {
    if (!submission.spec.tenant.empty())
      return refuse(ErrorCode::kNotAllowed, "this key is for another tenant");
    if (auto error = set_tenant(submission.spec, asker_->tenant))
      return refuse(error->code, std::move(error->detail));
  }
  const auto digest = [&] {
    return content_digest(submission.spec.raw, submission.payload.view());
  };
  if (Task* known = tasks_.find(submission.task_id)) {
    if (known->digest != digest() || !may_see(*asker_, known->spec.tenant()))
      return refuse(ErrorCode::kIdConflict, "this id was accepted with another content");
    watch(peer, level, *known);
    settle_delivery(*known, now);
    const bool waits = known->status == TaskStatus::kUnscheduled && !known->recovering;
    return waits ? acceptance(*known, now) : msg::Acceptance{known->id, ErrorCode::kOk, ""};
  }
  if (auto refusal = refusal_of(peer, submission.task_id, submission.spec,
                                submission.payload.size() + submission.spec.raw.size(), now))
    return std::move(*refusal);
  const Digest of_content = digest();
  // A small payload must not keep the frame of a whole batch in memory.
  Blob payload = alone ? std::move(submission.payload) : submission.payload.detached();
  Task& added = admit(submission.task_id, std::move(submission.spec), std::move(payload),
                      of_content, "accepted", now);
  watch(peer, level, added);
  return acceptance(added, now);
}

msg::Acceptance Core::acceptance(Task& task, const Now& now) {
  msg::Acceptance answer{task.id, ErrorCode::kOk, scheduler_.misfits(*task.entry, now)};
  if (!answer.detail.empty()) return answer;
  answer.estimate = scheduler_.promise(*task.entry, now);
  if (const std::string late = lateness(task, task.entry->not_before, answer.estimate, now);
      !late.empty())
    answer.detail = "late: " + late;
  return answer;
}

std::optional<Error> Core::no_room_for(const TaskSpec& spec, std::size_t content_bytes) {
  if (is_superseded()) return Error{ErrorCode::kSuperseded, kSupersededText};
  if (is_draining())
    return Error{ErrorCode::kDraining, "the dispatcher takes no new tasks: it drains"};
  if (store_.state != StoreReport::State::kOk)
    return Error{ErrorCode::kStoreFull, "the disk has no room for new tasks"};
  if (tasks_.live() >= config_.max_tasks)
    return Error{ErrorCode::kQueueFull, fmt::format("{} tasks are queued", config_.max_tasks)};
  if (tasks_.queued_bytes() + content_bytes > config_.max_queued_bytes)
    return Error{ErrorCode::kQueueFull, fmt::format("{} bytes are queued", tasks_.queued_bytes())};
  if (!backlog_.has_class_for(spec, providers_.size()))
    return Error{ErrorCode::kQueueFull, "tasks of too many kinds (requirements, costs) are queued"};
  return tenants_.over_quota(spec.tenant, content_bytes);
}

/// Why a task that is not known yet is not taken.
std::optional<msg::Acceptance> Core::refusal_of(const std::string& peer, const TaskId& id,
                                                const TaskSpec& spec, std::size_t content_bytes,
                                                const Now& now) {
  constexpr std::uint64_t kRetryMs = 1000;
  if (auto error = no_room_for(spec, content_bytes))
    return msg::Acceptance{
        id, error->code, std::move(error->detail), retry_after_ms(error->code, spec), {}};
  if (!backlog_.is_new_kind(spec)) return std::nullopt;
  // For each kind that is new the whole fleet is looked at.
  if (!ranked_.may_ask(payer(*asker_, peer), now.mono))
    return msg::Acceptance{id,
                           ErrorCode::kSlowDown,
                           "too many new kinds of tasks (requirements, costs) at once",
                           kRetryMs,
                           {}};
  ranked_.charge(payer(*asker_, peer), providers_.size(), now.mono);
  return std::nullopt;
}

/// When it may be worth a try: what is in the way is other tasks, which end.
std::uint64_t Core::retry_after_ms(ErrorCode code, const TaskSpec& spec) {
  constexpr double kLeastMs = 1000, kMostMs = 60'000;
  if (code == ErrorCode::kDraining) return 0;
  const auto run_s = measures_.fleet_run(measures_.model(spec.needs.model), size_class(spec.work));
  return static_cast<std::uint64_t>(std::clamp(run_s.value_or(0) * 1000, kLeastMs, kMostMs));
}

Task& Core::admit(const TaskId& id, TaskSpec spec, Blob payload, const Digest& digest,
                  std::string_view reason, const Now& now) {
  auto task = std::make_unique<Task>();
  task->id = id;
  task->spec = KeptSpec(spec);
  task->payload = std::move(payload);
  journal_.count_bytes(task->payload.size());
  task->digest = digest;
  task->sequence = ++sequence_;
  task->accepted_at = now.mono;
  task->created_ms = to_ms(now.wall);
  task->crashes_before = crashes_;
  set_deadlines(*task, spec, now);
  Task& added = tasks_.insert(std::move(task), now, reason);
  enroll(added, spec, now);
  backlog_.add(*added.entry, now.mono);
  ++accepted_total_;
  return added;
}

/// Placement has to do with it from now on.
void Core::enroll(Task& task, const TaskSpec& spec, const Now& now) {
  task.entry = &entries_.add();
  task.entry->handle = task.handle;
  backlog_.enroll(*task.entry, task, spec, task.accepted_at, now);
}

// ---- watching and delivery
// -----------------------------------------------------------------------

void Core::watch(const std::string& peer, msg::WatchLevel level, Task& task) {
  if (level == msg::WatchLevel::kNone) return clients_.unwatch(peer, task);
  tasks_.unsettle(task);
  clients_.watch(peer, asker_->key, level, task);
  if (is_terminal(task.status)) clients_.enqueue(peer, task);
}

void Core::on_client(const std::string& peer, const msg::Watch& message, const Now& now) {
  msg::Tasks tasks{message.request, {}, false};
  Explanations explanations;
  std::string unknown;
  for (const TaskId& id : message.ids) {
    Task* task = visible(id);
    if (!task) {
      unknown += (unknown.empty() ? "" : " ") + id.str();
      continue;
    }
    watch(peer, message.level, *task);
    settle_delivery(*task, now);
    tasks.tasks.push_back(Reports::task(*this, *task, false, now, explanations));
  }
  outbox_.reply(peer, std::move(tasks));
  if (!unknown.empty())
    outbox_.reply(peer,
                  msg::ErrorReply{message.request, ErrorCode::kUnknownTask, clip_text(unknown)});
}

void Core::notify(const Task& task) {
  if (is_store_full()) return;
  clients_.each_watcher(task, [&](const std::string& peer, msg::WatchLevel level) {
    if (level != msg::WatchLevel::kProgress) return;
    const auto progress = progress_.find(task.handle);
    const bool has_any = progress != progress_.end();
    outbox_.update(
        peer,
        {task.id, task.status, task.is_assigned() ? task.attempt(task.current)->node_id.str() : "",
         has_any ? progress->second.fraction : 0,
         has_any && !progress->second.text.empty() ? progress->second.text
                                                   : clip_text(task.log.back().reason)});
  });
}

/// However often a node tells of a task, its watchers hear of it once per tick.
void Core::notify_progressed() {
  for (const auto& [sequence, task] : std::exchange(progressed_, {}))
    if (task->status == TaskStatus::kSent) notify(*task);
}

void Core::deliver_ready(const Now& now) {
  for (const std::string& peer : clients_.take_ready()) {
    while (const Task* task = clients_.next(peer)) {
      outbox_.deliver(peer,
                      {task->id, task->status, task->code, delivered_info(*task), task->result});
      clients_.sent(peer, *task, task->result.size(), now.mono);
    }
  }
}

void Core::on_client(const std::string& peer, const msg::DeliverAck& message, const Now& now) {
  for (const TaskId& id : message.ids) acknowledge_delivery(peer, id, now);
}

void Core::acknowledge_delivery(const std::string& peer, const TaskId& id, const Now& now) {
  Task* task = tasks_.find_present(id);  // of one that is past all is settled
  if (!task || !may_see(*asker_, task->spec.tenant()) || !is_terminal(task->status)) return;
  // Who only watches has not lost what it never got, and others may wait for it.
  const bool counts = may(*asker_, Right::kSubmit) || clients_.is_on_its_way(peer, *task);
  clients_.acknowledged(peer, *task);
  if (counts) clients_.acknowledge(*task);
  settle_delivery(*task, now);
}

/// The data goes when a client has it and no other waits for it.
void Core::settle_delivery(Task& task, const Now& now) {
  if (!is_terminal(task.status) || clients_.is_watched(task)) return;
  if (task.fetched) return tasks_.settle(task);
  if (!clients_.is_acknowledged(task)) return;
  drop_result(task, now);
  ++delivered_total_;
}

void Core::drop_result(Task& task, const Now& now) {
  archive_.acknowledge(task, now.mono);
  if (!clients_.is_watched(task)) tasks_.settle(task);
  changes_.note_lazily(task, now.mono);
}

/// Nobody fetched it within the retention limits. That must not read as if somebody had.
void Core::drop_unfetched(Task& task, const Now& now) {
  if (task.status == TaskStatus::kCompleted) {
    ++dropped_results_total_;
    outbox_.note({LogEvent::Level::kWarn,
                  "result dropped: nobody fetched it within the retention limits",
                  {{"task_id", task.id.str()}}});
    task.info["error"] = "the result was dropped: nobody fetched it within the retention limits";
    task.info[std::string(kResultDropped)] = true;
  }
  drop_result(task, now);
}

// ---- everything else
// -----------------------------------------------------------------------------

void Core::on_client(const std::string& peer, const msg::Cancel& message, const Now& now) {
  msg::Cancelled cancelled{message.request, {}};
  for (const TaskId& id : message.ids) cancelled.verdicts.push_back(cancel(id, now));
  outbox_.reply(peer, std::move(cancelled));
}

/// A cancel wins or loses once: from here on the task is Aborted, whatever its node still says.
msg::Verdict Core::cancel(const TaskId& id, const Now& now) {
  Task* task = visible(id);
  if (!task) return {id, ErrorCode::kUnknownTask, "no task with this id"};
  if (is_terminal(task->status) && !GENAI_PLANTED(kCancelAfterEnd))
    return {id, ErrorCode::kAlreadyTerminal, std::string(name(task->status))};
  abort_current(*task, ErrorCode::kCancelled, now);
  finish(*task, TaskStatus::kAborted, ErrorCode::kCancelled, "cancelled by a client", now);
  return {id, ErrorCode::kOk, ""};
}

void Core::on_client(const std::string& peer, const msg::Reprioritise& message, const Now& now) {
  msg::Reprioritised reply{message.request, {}};
  for (const TaskId& id : message.ids)
    reply.verdicts.push_back(reprioritise(id, message.priority, now));
  outbox_.reply(peer, std::move(reply));
}

msg::Verdict Core::reprioritise(const TaskId& id, std::uint8_t priority, const Now& now) {
  Task* task = visible(id);
  if (!task) return {id, ErrorCode::kUnknownTask, "no task with this id"};
  if (is_terminal(task->status))
    return {id, ErrorCode::kAlreadyTerminal, std::string(name(task->status))};
  if (task->status != TaskStatus::kUnscheduled)
    return {id, ErrorCode::kNotQueued, std::string(name(task->status))};
  if (task->priority() == priority) return {id, ErrorCode::kOk, ""};
  task->priority_override = priority;
  if (task->recovering)
    task->entry->priority = priority;
  else
    backlog_.set_priority(*task->entry, priority);
  tasks_.annotate(*task, fmt::format("priority {} from now on", priority), now);
  return {id, ErrorCode::kOk, ""};
}

void Core::on_client(const std::string& peer, const msg::Drain& message, const Now& now) {
  if (message.target.empty()) {
    draining_ = message.on;
  } else {
    const auto node = NodeId::parse(message.target);
    if (!node || !providers_.knows(*node))
      return outbox_.reply(peer, msg::ErrorReply{message.request, ErrorCode::kUnknownNode,
                                                 "no node of this id was ever connected"});
    providers_.record(*node).drained = message.on;
    journal_.note(row_of(*node));
    if (Provider* provider = providers_.find_node(*node)) providers_.reindex(*provider, now.mono);
  }
  outbox_.note({LogEvent::Level::kInfo,
                message.on ? "drain" : "drain ended",
                {{"target", message.target.empty() ? "dispatcher" : message.target}}});
  outbox_.reply(peer, msg::Done{message.request});
}

void Core::on_client(const std::string& peer, const msg::Ping& message, const Now&) {
  outbox_.reply(peer, msg::Pong{message.request, epoch_,
                                GENAI_PLANTED(kSayAllWatched) ? 1000 : clients_.watched(peer)});
}

void Core::on_client(const std::string&, const msg::ErrorReply& message, const Now&) {
  outbox_.note({LogEvent::Level::kDebug,
                "a client answered with an error",
                {{"code", name(message.code)}, {"detail", message.detail}}});
}

}  // namespace genai::dispatcher
