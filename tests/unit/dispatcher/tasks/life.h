// The life of tasks alone: a Lifecycle on virtual time, whose nodes are played by the test. Nothing
// places, delivers or forgets tasks here.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dispatcher/tasks/lifecycle.h"
#include "protocol/base/overloaded.h"
#include "protocol/wire/codec.h"
#include "tests/unit/dispatcher/numbers.h"
#include "tests/unit/dispatcher/told.h"

namespace genai::dispatcher::test {

struct Life {
  static constexpr std::uint64_t kEpoch = 7;

  AttemptLimits limits;
  Metrics metrics;
  Lifecycle lifecycle{limits, from_ms(5'000), kEpoch, true, metrics};
  Now now{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  /// Of the last thing that happened. They name tasks as these are until the next one.
  std::vector<TaskEvent> told;
  std::deque<Accept> accepts;  // Accepted names what is in them

  void pass(std::uint64_t ms) {
    now.mono += from_ms(ms);
    now.wall += from_ms(ms);
  }
  template <class Event>
  void happen(Event&& event) {
    lifecycle.handle(std::forward<Event>(event), now);
    look();
  }
  void look() {
    lifecycle.take_events(told);
    lifecycle.check();
  }

  // ---- nodes: number n is "node-n"
  SessionId join(unsigned number, std::uint32_t slots = 1) {
    const SessionId session = numbered<SessionId>(number);
    happen(SessionJoined{session, node(number), slots});
    return session;
  }
  void acknowledge(const SessionId& session, const AssignmentRef& ref,
                   ErrorCode code = ErrorCode::kOk) {
    msg::AssignAck ack{{{ref, code, ""}}};
    happen(FromSession<msg::AssignAck>{session, ack});
  }
  void hold(const SessionId& session, std::vector<AssignmentRef> held, bool is_all = true) {
    happen(SessionHolds{session, held, is_all});
  }
  void result(const SessionId& session, const AssignmentRef& ref,
              msg::Outcome outcome = msg::Outcome::kOk, ValueMap info = {}) {
    const bool is_ok = outcome == msg::Outcome::kOk;
    msg::Result message{{{ref, outcome, std::move(info), Blob(is_ok ? "picture" : "")}}};
    happen(FromSession<msg::Result>{session, message});
  }
  void error(const SessionId& session, const AssignmentRef& ref,
             ErrorCode code = ErrorCode::kTaskError) {
    result(session, ref, msg::Outcome::kError,
           {{"error", "bad weights"}, {"code", static_cast<std::uint64_t>(code)}});
  }
  void abort_ack(const SessionId& session, const AssignmentRef& ref,
                 msg::AbortOutcome outcome = msg::AbortOutcome::kStopped) {
    msg::AbortAck ack{{{ref, outcome}}};
    happen(FromSession<msg::AbortAck>{session, ack});
  }
  void progress(const SessionId& session, const AssignmentRef& ref, double fraction) {
    msg::Progress message{{{ref, fraction, "step"}}};
    happen(FromSession<msg::Progress>{session, message});
  }
  void lose(const SessionId& session, Cause cause = Cause::kLoss, std::size_t fleet = 10) {
    const ErrorCode code =
        cause == Cause::kDrain ? ErrorCode::kNodeDrained : ErrorCode::kProviderLost;
    happen(SessionLost{session, cause, code, "silence", fleet, 0});
  }

  // ---- tasks
  Task& accept(const std::string& id, TaskSpec spec = {}) {
    happen(accepts.emplace_back(
        Accept{*TaskId::parse(id), make_spec(std::move(spec), {}), Blob("prompt"), {}, "new"}));
    return task(id);
  }
  Task& task(const std::string& id) {
    Task* const found = lifecycle.tasks().find(*TaskId::parse(id));
    REQUIRE(found != nullptr);
    return *found;
  }
  /// Returns the attempt that its node is sent.
  AssignmentRef assign(Task& task, const SessionId& session) {
    happen(Assign{task, session, "picked"});
    const auto& sent = only<task_event::SendAssign>();
    CHECK(sent.session == session);
    CHECK(sent.task == &task);
    return sent.ref;
  }
  /// The same, and its node takes it.
  AssignmentRef send(Task& task, const SessionId& session) {
    const AssignmentRef ref = assign(task, session);
    acknowledge(session, ref);
    CHECK(task.status == TaskStatus::kSent);
    return ref;
  }
  struct Given {
    SessionId node;
    Task& task;
    AssignmentRef ref;
  };
  /// Node 1 has joined, and is sent task "t".
  Given assigned() {
    const SessionId node = join(1);
    Task& task = accept("t");
    return {node, task, assign(task, node)};
  }
  /// The same, and the node takes it.
  Given sent() {
    const SessionId node = join(1);
    Task& task = accept("t");
    return {node, task, send(task, node)};
  }
  /// A task that an earlier process had assigned to that session.
  Task& restore(const std::string& id, unsigned number, std::uint64_t epoch = 3) {
    TaskRecord record;
    record.id = *TaskId::parse(id);
    record.sequence = 1;
    record.spec = KeptSpec(make_spec({}, {}));
    record.created_ms = to_ms(now.wall) - 1'000;
    record.status = TaskStatus::kSent;
    record.issued = {{1, epoch, numbered<SessionId>(number), node(number)}};
    record.current = 1;
    record.log.add(1, TaskStatus::kSent, "node took it");
    Task& task = lifecycle.restore(std::move(record), now);
    look();
    return task;
  }

  // ---- what was told
  template <class Event>
  std::vector<const Event*> all() const {
    return all_told<Event>(told);
  }
  template <class Event>
  const Event& only() const {
    return only_told<Event>(told);
  }
  /// The names of the events, without lines for the log.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const TaskEvent& event : told)
      std::visit(Overloaded{[](const LogEvent&) {},
                            [&](const Malformed&) { names.emplace_back("malformed"); },
                            [&](const auto& e) { names.emplace_back(e.kName); }},
                 event);
    return names;
  }
  Conduct conduct() const { return only<task_event::Behaved>().conduct; }
};

using Names = std::vector<std::string>;

}  // namespace genai::dispatcher::test
