#include "dispatcher/dispatcher.h"

#include <algorithm>
#include <utility>

#include "protocol/base/overloaded.h"
#include "protocol/base/planted.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher {

Dispatcher::Dispatcher(const Config& config, InstanceId instance, std::uint64_t epoch,
                       const std::vector<std::string>& broker_endpoints, const Now& now)
    : config_(config),
      malformed_total_(metrics_.counter("malformed_total",
                                        "Frames of clients, nodes and brokers that were refused.")),
      membership_(config_, instance, epoch, broker_endpoints, now),
      lifecycle_(config_, config_.lost, epoch, config_.durable, metrics_),
      recovery_(config_.lost),
      archive_(config_, lifecycle_.tasks(), lifecycle_.changes(), metrics_),
      placement_(config_, config_.durable, metrics_),
      desk_(config_, now, lifecycle_.tasks(), placement_, membership_, metrics_),
      journal_(lifecycle_.changes(), lifecycle_.tasks(), config_.largest_inline),
      last_tick_(now.mono),
      witness_([this] { return recent_.story(); }) {}

void Dispatcher::restore(store::Page loaded, const Now& now) {
  for (const store::NodeRow& row : loaded.nodes) placement_.restore(row);
  placement_.restore(loaded.measures);
  TaskTable& tasks = lifecycle_.tasks();
  for (TaskRecord& record : loaded.tasks) {
    Task& task = lifecycle_.restore(std::move(record), now);
    if (is_terminal(task.status)) {
      archive_.add(task);
      if (task.fetched) tasks.settle(task);
      continue;
    }
    placement_.restore(task, now);
    if (task.recovering) recovery_.add(task);
  }
  tasks.compact();  // or a long history would stand here at its full size until the last page
}

// ---- what comes from outside

void Dispatcher::handle(const LinkFrame& event, const Now& now) {
  auto message = decode<LinkToDispatcher>(event.frame);
  if (!message) {
    Malformed malformed{"malformed frame from a broker", "broker",
                        membership_.links()[event.broker].endpoint, message.error()};
    return on(malformed, now);
  }
  membership_.handle(event.broker, std::move(*message), now);
  hand_on(now);
}

void Dispatcher::handle(const ClientFrame& event, const Now& now) {
  desk_.handle(event, now);
  do hand_on(now);
  while (desk_.proceed(now));
  hand_on(now);
}

void Dispatcher::handle(const ClientMalformed& event, const Now& now) {
  desk_.handle(event, now);
  hand_on(now);
}

void Dispatcher::handle(const ClientGone& event, const Now& now) {
  desk_.handle(event, now);
  hand_on(now);
}

void Dispatcher::handle(const KeysRevoked& event, const Now& now) {
  desk_.handle(event, now);
  hand_on(now);
}

void Dispatcher::raise_epoch(std::uint64_t epoch, const Now& now) {
  membership_.raise_epoch(epoch, now);
  lifecycle_.raise_epoch(epoch);
}

void Dispatcher::read_debug_notes(bool on) { lifecycle_.tell_all(on); }

// ---- handing on

/// Notes the event among the recent ones, and hands it on.
template <class Event>
void Dispatcher::hand_on(Event& event, const Now& now) {
  std::visit(
      [&]<class Body>(Body& body) {
        constexpr bool is_named = requires { Body::kName; };
        if constexpr (is_named && requires { body.task->sequence; })
          recent_.add(now.mono, Body::kName, body.task ? body.task->sequence : 0);
        else if constexpr (is_named && requires { body.session; })
          recent_.add(now.mono, Body::kName, 0, body.session);
        on(body, now);
      },
      event);
}

void Dispatcher::hand_on_tasks(const Now& now) {
  while (lifecycle_.has_events()) {
    lifecycle_.take_events(task_events_);
    for (TaskEvent& event : task_events_) hand_on(event, now);
  }
}

/// Each machine is told what the others have done, in order, until nothing is left to be told. What
/// comes of an event of the fleet is handed on before its next event.
void Dispatcher::hand_on(const Now& now) {
  do {
    hand_on_tasks(now);
    membership_.take_events(fleet_events_);
    for (FleetEvent& event : fleet_events_) {
      hand_on(event, now);
      hand_on_tasks(now);
    }
    archive_.take_events(archive_events_);
    for (ArchiveEvent& event : archive_events_) hand_on(event, now);
    desk_.take_events(desk_events_);
    for (DeskEvent& event : desk_events_) hand_on(event, now);
  } while (lifecycle_.has_events() || membership_.has_events() || desk_.has_events() ||
           archive_.has_events());
  placement_.take_events(placement_events_);
  for (LogEvent& event : placement_events_) outbox_.note(std::move(event));
}

// ---- of tasks

void Dispatcher::on(task_event::Accepted& event, const Now& now) {
  journal_.count_bytes(event.task->payload.size());
  placement_.handle(event, now);
  desk_.handle(event, now);
}

void Dispatcher::on(task_event::Assigned& event, const Now& now) {
  placement_.handle(event, now);
  desk_.tell_watchers(*event.task);
}

void Dispatcher::on(task_event::Acknowledged& event, const Now& now) {
  if (event.was_recovering) recovery_.remove(*event.task);
  placement_.handle(event, now);
  desk_.tell_watchers(*event.task);
}

void Dispatcher::on(task_event::Requeued& event, const Now& now) {
  placement_.handle(event, now);
  desk_.forget_progress(*event.task);
  desk_.tell_watchers(*event.task);
}

void Dispatcher::on(task_event::Ended& event, const Now& now) {
  if (event.was_recovering) recovery_.remove(*event.task);
  journal_.count_bytes(event.task->result.size());
  placement_.handle(event, now);
  archive_.add(*event.task);
  desk_.handle(event, now);
}

void Dispatcher::on(task_event::Behaved& event, const Now& now) {
  placement_.handle(event, now);
  if (event.conduct == Conduct::kLeaving) membership_.handle_leaving(event.session, now);
}

void Dispatcher::on(task_event::SendAssign& event, const Now&) {
  const Session* to = reached(event.session);
  if (!to) return;
  const Data& payload = event.task->payload;
  if (payload.is_apart())
    reads_.want(ForAssign{event.task->handle, event.task->sequence, event.session, event.ref},
                payload);
  else
    outbox_.assign(*to, *event.task, event.ref, payload.bytes());
}

void Dispatcher::on(task_event::SendAbort& event, const Now&) {
  const Session* to = reached(event.session);
  if (!to || (event.again && to->reach == Reach::kUnreachable)) return;
  outbox_.abort(*to, event.ref, event.code);
}

void Dispatcher::on(task_event::SendKeep& event, const Now&) {
  if (const Session* to = reached(event.session)) outbox_.keep(*to, event.ref);
}

void Dispatcher::on(task_event::SendResultAck& event, const Now&) {
  if (const Session* to = reached(event.session)) outbox_.ack_result(*to, event.ref, event.code);
}

// ---- of nodes and brokers

void Dispatcher::on(fleet_event::Joined& event, const Now& now) {
  placement_.handle(event, now);
  lifecycle_.handle(SessionJoined{event.session, event.node_id, event.meta.slots}, now);
}

void Dispatcher::on(fleet_event::Held& event, const Now& now) {
  lifecycle_.handle(SessionHolds{event.session, event.refs, event.is_all}, now);
}

void Dispatcher::on(fleet_event::Spoke& event, const Now& now) {
  auto message = decode<NodeToDispatcher>(event.frame);
  if (message)
    return std::visit(Overloaded{[](msg::ErrorReply&) {},  // it is never answered
                                 [&]<class M>(M& body) {
                                   lifecycle_.handle(FromSession<M>{event.session, body}, now);
                                 }},
                      *message);
  Malformed malformed{"malformed frame from a node", "node_id", event.node_id.str(),
                      message.error()};
  on(malformed, now);
  if (const Session* from = reached(event.session)) outbox_.error(*from, message.error());
  lifecycle_.handle(
      ResultsUnreadable{event.session, unreadable_results(event.frame), message.error()}, now);
}

void Dispatcher::on(fleet_event::Unreached& event, const Now& now) {
  lifecycle_.handle(SessionUnreached{event.session, event.code}, now);
}

void Dispatcher::on(fleet_event::Lost& event, const Now& now) {
  const std::uint32_t failures = placement_.failures(event.session);
  lifecycle_.handle(SessionLost{event.session, event.cause, event.code, std::move(event.reason),
                                event.fleet, failures},
                    now);
}

void Dispatcher::on(fleet_event::LinkUp&, const Now& now) { recovery_.link_up(now.mono); }

void Dispatcher::on(fleet_event::SendToBroker& event, const Now&) {
  outbox_.to_broker(event.broker, std::move(event.message));
}

void Dispatcher::on(fleet_event::Reopen& event, const Now&) { outbox_.reopen_link(event.broker); }

// ---- of clients

void Dispatcher::on(desk_event::Reply& event, const Now&) {
  outbox_.reply(event.peer, std::move(event.message));
}

void Dispatcher::on(desk_event::SendUpdate& event, const Now&) {
  outbox_.update(event.peer, std::move(event.entry));
}

void Dispatcher::on(desk_event::SendResult& event, const Now&) {
  outbox_.deliver(event.peer, std::move(event.entry));
}

void Dispatcher::on(desk_event::ReadResult& event, const Now&) {
  if (!event.task->result.is_apart()) return;  // dropped since: told when it is due again
  reads_.want(ForDeliver{event.task->handle, event.task->sequence, std::move(event.peer)},
              event.task->result);
}

void Dispatcher::on(desk_event::ReadPart& event, const Now& now) {
  if (!event.task->result.is_apart())
    return desk_.handle(PartRead{event.task, event.peer, event.request, event.offset,
                                 fail(ErrorCode::kDataLost, "the result was dropped meanwhile")},
                        now);
  reads_.want(ForFetch{event.task->handle, event.task->sequence, event.task->id,
                       std::move(event.peer), event.request, event.offset},
              event.task->result, event.offset, event.bytes);
}

void Dispatcher::on(desk_event::Fetched& event, const Now& now) {
  archive_.fetched(*event.task, now.mono);
}

void Dispatcher::on(desk_event::Purge& event, const Now&) { archive_.purge(*event.task); }

void Dispatcher::on(desk_event::Annotate& event, const Now& now) {
  lifecycle_.tasks().annotate(*event.task, event.text, now);
}

void Dispatcher::on(desk_event::DrainNode& event, const Now& now) {
  placement_.drain(event.node, event.on, now);
}

void Dispatcher::on(Accept& event, const Now& now) {
  lifecycle_.handle(event, now);
  hand_on_tasks(now);
}

void Dispatcher::on(desk_event::Refused&, const Now&) { ++malformed_total_; }

// ---- of what was read

/// After nodes were judged: what was read must not go to one that is lost by now.
void Dispatcher::use_reads(const Now& now) {
  for (ReadResult& read : std::exchange(read_, {})) {
    // The disk has it, but this process has no descriptor or no memory now.
    if (!read.bytes && read.bytes.error().failure == store::Failure::kLocked) {
      reads_.again(std::move(read));
      continue;
    }
    std::visit([&](const auto& purpose) { on(purpose, read, now); }, read.purpose);
    hand_on(now);
  }
}

/// The task for which something was read, if it is still there: another may have its handle by now,
/// and even its id.
Task* Dispatcher::same(TaskHandle handle, std::uint64_t sequence) {
  Task* const task = lifecycle_.tasks().present(handle);
  return task && task->sequence == sequence ? task : nullptr;
}

void Dispatcher::on(const ForAssign& purpose, ReadResult& read, const Now& now) {
  Task* const task = same(purpose.task, purpose.sequence);
  const bool is_current = task && task->status == TaskStatus::kScheduled &&
                          task->current == purpose.ref.attempt && !task->asked_back;
  if (!is_current) return;
  if (read.bytes) {
    // One that cannot be reached by now does not answer, which ends the attempt.
    const Session* to = reached(purpose.session);
    if (to && to->reach != Reach::kUnreachable)
      outbox_.assign(*to, *task, purpose.ref, std::move(*read.bytes));
  } else if (read.key != payload_key(task->sequence)) {
    // The payload is that of a task which was replayed, and which may be forgotten by now. It is
    // found under the key of its own as soon as the commit under way is.
    reads_.want(purpose, task->payload);
  } else {
    lifecycle_.handle(PayloadLost{*task, read.bytes.error().detail}, now);
  }
}

void Dispatcher::on(const ForDeliver& purpose, ReadResult& read, const Now& now) {
  Task* const task = same(purpose.task, purpose.sequence);
  if (!task || task->fetched) return;
  if (read.bytes)
    desk_.handle(ResultRead{*task, purpose.peer, std::move(*read.bytes)}, now);
  else
    archive_.lose_result(*task, read.bytes.error().detail, now.mono);
}

void Dispatcher::on(const ForFetch& purpose, ReadResult& read, const Now& now) {
  Task* const task = same(purpose.task, purpose.sequence);
  Expected<Blob> part = lifecycle_.tasks().knows(purpose.id)
                            ? fail(ErrorCode::kDataLost, "the result was dropped meanwhile")
                            : fail(ErrorCode::kUnknownTask, purpose.id.str());
  if (task && read.bytes) {
    part = std::move(*read.bytes);
  } else if (task && !task->fetched) {
    part = fail(ErrorCode::kDataLost, read.bytes.error().detail);
    archive_.lose_result(*task, read.bytes.error().detail, now.mono);
  }
  desk_.handle(PartRead{task, purpose.peer, purpose.request, purpose.offset, std::move(part)}, now);
}

void Dispatcher::handle_stored() {
  for (Task* task : journal_.stored())
    if (is_terminal(task->status)) archive_.moved_apart(*task);
}

Effects Dispatcher::take_events() {
  Effects effects = outbox_.take();
  effects.reads = reads_.take_events();
  return effects;
}

// ---- of the archive, and of all

void Dispatcher::on(Forgotten& event, const Now& now) {
  desk_.handle(event, now);
  archive_.forget(event, now.mono);
}

void Dispatcher::on(Malformed& event, const Now& now) {
  ++malformed_total_;
  if (!malformed_notes_.allow(now.mono)) return;
  outbox_.note({LogEvent::Level::kWarn,
                event.text,
                {{event.key, std::move(event.who)},
                 {"error", std::move(event.error.detail)},
                 {"more_not_shown", malformed_notes_.take_suppressed()}}});
}

// ---- time

void Dispatcher::expire(const Now& now) {
  notice_lateness(now);
  membership_.expire(now, judge_from_);
  hand_on(now);
  if (now.mono >= judge_from_) {
    placement_.expire(now);
    judge_tasks(now);
    lifecycle_.give_up(recovery_.expire(now.mono), now);
  }
  lifecycle_.expire(now);
  hand_on(now);
  desk_.tell_progressed();
  if (!desk_.is_store_full()) {
    placement_.release(now);
    place(now);
    desk_.expire(now);
  }
  use_reads(now);
  archive_.expire(now.mono);
  hand_on(now);
  if (journal_.empty()) lifecycle_.tasks().compact();
}

/// After a pause of our own, answers may still wait in the sockets: they are given a moment.
void Dispatcher::notice_lateness(const Now& now) {
  const Duration late = now.mono - last_tick_;
  last_tick_ = now.mono;
  if (late <= config_.lost / 2) return;
  judge_from_ = now.mono + config_.heartbeat;
  outbox_.note({LogEvent::Level::kWarn,
                "this process was late: judging nobody for a moment",
                {{"late_ms", to_ms(late)}}});
  membership_.forgive(late);
}

void Dispatcher::judge_tasks(const Now& now) {
  Explanations explanations;
  while (Task* task = lifecycle_.next_due(now)) {
    if (task->expires_at <= now.mono) {
      const bool is_queued = task->status == TaskStatus::kUnscheduled;
      lifecycle_.handle(
          Expire{*task, is_queued ? desk_.reports().explain(*task, explanations, now) : ""}, now);
    } else {
      // The answer may be stuck behind the silence of its broker, which is judged first.
      const Session* at = membership_.find(task->attempt(task->current)->session);
      if (task->status == TaskStatus::kScheduled && !membership_.is_heard(at->broker, now))
        lifecycle_.wait_on(*task, now);
      else
        lifecycle_.handle(EndPhase{*task}, now);
    }
    hand_on(now);
  }
}

void Dispatcher::place(const Now& now) {
  placement_.start();
  while (auto choice = placement_.next(now)) {
    lifecycle_.handle(
        Assign{*lifecycle_.tasks().present(choice->task), choice->session, choice->reason}, now);
    hand_on_tasks(now);
  }
  for (const TaskHandle task : placement_.recalls(now))
    lifecycle_.handle(AskBack{*lifecycle_.tasks().present(task)}, now);
  hand_on(now);
}

Duration Dispatcher::next_deadline() const {
  // However little there is to do: a long sleep of its own must not pass for lateness.
  Duration at = std::min(last_tick_ + config_.lost / 4, archive_.next_deadline());
  if (!desk_.is_store_full())
    at = std::min({at, std::max(desk_.next_deadline(), last_tick_), placement_.next_release()});
  // Judgements that wait for judge_from_ must not make the loop spin until then.
  const Duration judged =
      std::min({lifecycle_.next_due_at(), placement_.next_deadline(), recovery_.next_deadline()});
  if (judged != kNever) at = std::min(at, std::max(judged, judge_from_));
  at = std::min({at, lifecycle_.next_deadline(), membership_.next_deadline(judge_from_)});
  return GENAI_PLANTED(kSpin) && live_tasks() > 0 ? last_tick_ : at;
}

// ---- what is to be stored

store::Batch Dispatcher::take_changes(const Now& now, bool all) {
  store::Batch batch = journal_.take();
  lifecycle_.tasks().compact();
  if (placement_.next_commit() <= now.mono || all)
    placement_.take_changes(batch.nodes, batch.measures);
  return batch;
}

void Dispatcher::check() const {
  membership_.check();
  lifecycle_.check();
  recovery_.check();
  placement_.check();
  reads_.check();
  GENAI_CHECK(placement_.backlog().size() + recovery_.size() ==
              tasks().count(TaskStatus::kUnscheduled));
  GENAI_CHECK(lifecycle_.assignments().size() == membership_.size());
  GENAI_CHECK(providers().size() == membership_.size());
  std::size_t assigned = 0;
  for (const auto& [session, provider] : providers().sessions()) {
    assigned += provider->tasks.size();
    const Session* const same = membership_.find(session);
    GENAI_CHECK(same && same->reach == provider->reach && same->node_id == provider->node_id);
  }
  GENAI_CHECK(assigned == tasks().count(TaskStatus::kScheduled) + tasks().count(TaskStatus::kSent));
}

}  // namespace genai::dispatcher
