// What clients ask: who may, what it costs, and the requests of one line.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dispatcher/desk/desk.h"
#include "dispatcher/desk/permissions.h"
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

auto& entries_of(msg::Submit& m) { return m.tasks; }
auto& entries_of(msg::Replay& m) { return m.entries; }
auto& entries_of(auto& m) { return m.ids; }

}  // namespace

Desk::Desk(const DeskLimits& limits, const Now& started, TaskTable& tasks, Placement& placement,
           const Membership& fleet, Metrics& metrics)
    : limits_(limits),
      tasks_(tasks),
      placement_(placement),
      fleet_(fleet),
      dropped_answers_total_(metrics.counter("dropped_answers_total",
                                             "Answers dropped since their clients did not read.")),
      reports_(started, tasks, placement, fleet, metrics),
      clients_(limits.resend) {
  metrics.gauge("queued_bytes", "Payloads and specs of tasks that have not ended.",
                [this] { return Value(std::uint64_t{tasks_.queued_bytes()}); });
  metrics.counter("commits_total", "Commits of the store.", [this] { return store_.commits; });
  metrics.counter("committed_tasks_total", "Tasks written, counted once for each commit.",
                  [this] { return store_.tasks; });
  metrics.gauge("commit_us", "How long the last commit took.",
                [this] { return Value(store_.last_us); });
}

void Desk::handle(const ClientFrame& event, const Now& now) {
  asking_ = {event.peer, &event.who};
  const std::size_t read_units = event.frame.size() / kReadBytesPerUnit;
  // A connection is one key's; whoever comes under its name with another one is somebody else.
  if (clients_.is_anothers(event.peer, event.who.key) ||
      listings_.is_anothers(event.peer, event.who.key))
    handle(ClientGone{event.peer}, now);
  // A key that is good for nothing here is worth no decoding.
  if (!may(event.who, Right::kNone))
    return refuse(peek_request(event.frame.view()),
                  {ErrorCode::kNotAllowed, "this key is not authorized for a client"}, now);
  if (event.frame.size() > limits::kMaxControlFrameBytes && !rates_.may_ask(payer(), now.mono))
    return slow_down(peek_request(event.frame.view()));
  auto message = decode_client(event.frame);
  if (!message) {
    refuse(peek_request(event.frame.view()), message.error(), now);
    return rates_.charge(payer(), read_units, now.mono);
  }
  if (!std::holds_alternative<msg::Submit>(*message)) rates_.charge(payer(), read_units, now.mono);
  std::visit(Overloaded{[&](msg::ErrorReply& error) { on(error, now); },
                        [&](auto& request) { serve(request, now); }},
             *message);
}

/// By what its kind says: who may, what it costs, and whether it can be answered without the store.
template <class M>
void Desk::serve(M& request, const Now& now) {
  if (!may(*asking_.who, M::kKind.right)) return refuse_role(request, now);
  if constexpr (M::kKind.cost != Cost::kFree) {
    if (!rates_.may_ask(payer(), now.mono)) return slow_down(request.request);
    rates_.charge(payer(), units_of(request), now.mono);
  }
  if constexpr (M::kKind.needs == Needs::kStore)
    if (is_store_full())
      return reply(msg::ErrorReply{request.request, ErrorCode::kStoreFull,
                                   "the disk is full: nothing can be written"});
  on(request, now);
}

// ---- requests of several entries

template <class S>
bool Desk::next_entry(S& serving, const Now& now) {
  auto& entries = entries_of(serving.message);
  if (serving.next == entries.size()) {
    complete(serving, now);
    reply(std::move(serving.reply));
    return false;
  }
  take_entry(serving, entries[serving.next++], now);
  return true;
}

bool Desk::proceed(const Now& now) {
  const bool goes_on =
      std::visit(Overloaded{[](std::monostate) { return false; },
                            [&](auto& serving) { return next_entry(serving, now); }},
                 serving_);
  if (!goes_on) serving_ = std::monostate{};
  return goes_on;
}

/// For what was read of tasks that were refused; the queue bounds the others.
void Desk::complete(Submitting& serving, const Now& now) {
  rates_.charge(payer(), serving.refused_bytes / kReadBytesPerUnit, now.mono);
}

template <class M, class R>
void Desk::begin(M& message, R reply) {
  reply.verdicts.reserve(entries_of(message).size());
  serving_ = Serving<M, R>{std::move(message), std::move(reply)};
}

void Desk::on(msg::Submit& message, const Now&) {
  begin(message, msg::Accepted{message.request, {}});
}
void Desk::on(msg::Replay& message, const Now&) {
  begin(message, msg::Accepted{message.request, {}});
}
void Desk::on(msg::Cancel& message, const Now&) {
  begin(message, msg::Cancelled{message.request, {}});
}
void Desk::on(msg::Reprioritise& message, const Now&) {
  begin(message, msg::Reprioritised{message.request, {}});
}
void Desk::on(msg::Purge& message, const Now&) { begin(message, msg::Purged{message.request, {}}); }
void Desk::on(msg::Delete& message, const Now&) {
  begin(message, msg::Deleted{message.request, {}});
}

void Desk::take_entry(Cancelling& serving, const TaskId& id, const Now&) {
  serving.reply.verdicts.push_back(cancel(id));
}
void Desk::take_entry(Reprioritising& serving, const TaskId& id, const Now&) {
  serving.reply.verdicts.push_back(reprioritise(id, serving.message.priority));
}
void Desk::take_entry(Deleting& serving, const TaskId& id, const Now&) {
  serving.reply.verdicts.push_back(forget(id));
}

void Desk::take_entry(Purging& serving, const TaskId& id, const Now&) {
  serving.reply.verdicts.push_back(purge(id));
}

msg::Verdict Desk::cancel(const TaskId& id) {
  Task* task = visible(id);
  if (!task) return {id, ErrorCode::kUnknownTask, "no task with this id"};
  if (is_terminal(task->status) && !GENAI_PLANTED(kCancelAfterEnd))
    return {id, ErrorCode::kAlreadyTerminal, std::string(name(task->status))};
  tell(Cancel{*task});
  return {id, ErrorCode::kOk, ""};
}

msg::Verdict Desk::reprioritise(const TaskId& id, std::uint8_t priority) {
  Task* task = visible(id);
  if (!task) return {id, ErrorCode::kUnknownTask, "no task with this id"};
  if (is_terminal(task->status))
    return {id, ErrorCode::kAlreadyTerminal, std::string(name(task->status))};
  if (task->status != TaskStatus::kUnscheduled)
    return {id, ErrorCode::kNotQueued, std::string(name(task->status))};
  if (task->priority() != priority) tell(Reprioritise{*task, priority});
  return {id, ErrorCode::kOk, ""};
}

msg::Verdict Desk::purge(const TaskId& id) {
  Task* task = visible(id);
  if (!task) return {id, ErrorCode::kUnknownTask, "no task with this id"};
  if (task->status != TaskStatus::kFailed)
    return {id, ErrorCode::kNotFailed, std::string(name(task->status))};
  tell(desk_event::Purge{task});
  return {id, ErrorCode::kOk, ""};
}

msg::Verdict Desk::forget(const TaskId& id) {
  Task* task = visible(id);
  if (!task) return {id, ErrorCode::kUnknownTask, "no task with this id"};
  if (!is_terminal(task->status))
    return {id, ErrorCode::kNotEnded, std::string(name(task->status))};
  // Its result would be taken for that of a new task with this id.
  for (const IssuedAttempt& attempt : task->issued)
    if (attempt.open && fleet_.find(attempt.session))
      return {id, ErrorCode::kNotEnded, attempt.node_id.str() + " has not let go of it yet"};
  tell(desk_event::Purge{task});
  return {id, ErrorCode::kOk, ""};
}

// ---- others

void Desk::on(const msg::Drain& message, const Now&) {
  if (message.target.empty()) {
    is_draining_ = message.on;
  } else {
    const auto node = NodeId::parse(message.target);
    if (!node || !placement_.providers().knows(*node))
      return reply(msg::ErrorReply{message.request, ErrorCode::kUnknownNode,
                                   "no node of this id was ever connected"});
    tell(desk_event::DrainNode{*node, message.on});
  }
  tell(LogEvent{LogEvent::Level::kInfo,
                message.on ? "drain" : "drain ended",
                {{"target", message.target.empty() ? "dispatcher" : message.target}}});
  reply(msg::Done{message.request});
}

void Desk::on(const msg::Ping& message, const Now&) {
  reply(msg::Pong{message.request, fleet_.epoch(),
                  GENAI_PLANTED(kSayAllWatched) ? 1000 : clients_.watched(asking_.peer)});
}

void Desk::on(const msg::ErrorReply& message, const Now&) {
  tell(LogEvent{LogEvent::Level::kDebug,
                "a client answered with an error",
                {{"code", name(message.code)}, {"detail", message.detail}}});
}

// ---- refusals

void Desk::handle(const ClientMalformed& event, const Now& now) {
  asking_ = {event.peer, &event.who};
  refuse(0, not_a_message(), now);
}

void Desk::refuse(std::uint64_t request, Error error, const Now& now) {
  constexpr std::size_t kUnits = 100;
  tell(desk_event::Refused{});
  if (!rates_.may_ask(payer(), now.mono)) return;
  rates_.charge(payer(), kUnits, now.mono);
  tell(LogEvent{LogEvent::Level::kDebug, "client refused", {{"error", error.detail}}});
  reply(msg::ErrorReply{request, error.code, clip_text(error.detail)});
}

void Desk::slow_down(std::uint64_t request) {
  reply(msg::ErrorReply{request, ErrorCode::kSlowDown,
                        "this key or connection asks for more than a second allows"});
}

template <class M>
void Desk::refuse_role(const M& message, const Now& now) {
  std::uint64_t request = 0;
  if constexpr (requires { message.request; }) request = message.request;
  refuse(request, {ErrorCode::kNotAllowed, "the roles of this key do not include this request"},
         now);
}

/// The task, if it exists for whoever asks: those of other tenants are not known.
Task* Desk::visible(const TaskId& id) {
  Task* task = tasks_.find(id);
  const bool shown =
      task && (may_see(*asking_.who, task->spec.tenant()) || GENAI_PLANTED(kSeeOtherTenants));
  return shown ? task : nullptr;
}

void Desk::handle(const KeysRevoked& event, const Now& now) {
  listings_.forget(event.keys);
  for (const std::string& peer : clients_.peers_with(event.keys)) {
    handle(ClientGone{peer}, now);
    tell(desk_event::Reply{peer,
                           msg::ErrorReply{0, ErrorCode::kNotAllowed, "this key was revoked"}});
  }
}

}  // namespace genai::dispatcher
