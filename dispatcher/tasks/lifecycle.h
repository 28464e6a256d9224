// The life of every task, from its acceptance to its end: the only place that changes what is
// stored of a task while it lives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dispatcher/tasks/assignments.h"
#include "dispatcher/tasks/blame.h"
#include "dispatcher/tasks/changes.h"
#include "dispatcher/tasks/edges.h"
#include "dispatcher/tasks/events.h"
#include "dispatcher/tasks/limits.h"
#include "dispatcher/tasks/task_table.h"
#include "protocol/base/metrics.h"
#include "protocol/wire/node.h"

namespace genai::dispatcher {

/// What a new task is made of.
struct Accept {
  TaskId id;
  TaskSpec spec;
  Data payload;  // apart: that of the task which is replayed
  Digest digest;
  std::string reason;
};
/// Placement has picked a provider.
struct Assign {
  Task& task;
  SessionId session;
  std::string_view reason;
};
/// The task should come back from its node, unless the node has begun it.
struct AskBack {
  Task& task;
};
struct Cancel {
  Task& task;
};
struct Reprioritise {
  Task& task;
  std::uint8_t priority;
};
/// The time of the task is over. `why`: what it has waited for; empty unless it is Unscheduled.
struct Expire {
  Task& task;
  std::string why;
};
/// The present attempt has not been acknowledged, or not ended, in time.
struct EndPhase {
  Task& task;
};

/// The payload of the task cannot be read any more: no node can have it.
struct PayloadLost {
  Task& task;
  std::string why;
};

/// A session of a node is there, or is heard of again.
struct SessionJoined {
  SessionId session;
  NodeId node_id;
  std::uint32_t slots;
};
/// The node has all of these. `is_all`: and nothing else.
struct SessionHolds {
  SessionId session;
  const std::vector<AssignmentRef>& held;
  bool is_all;
};
/// The broker could not hand on what it was given for the node.
struct SessionUnreached {
  SessionId session;
  ErrorCode code;
};
/// The session is over. `fleet`: sessions that are there, this one included. `failures`: attempts
/// in a row that did not complete at its node.
struct SessionLost {
  SessionId session;
  Cause cause;
  ErrorCode code;
  std::string reason;
  std::size_t fleet;
  std::uint32_t failures;
};
/// A message of a node.
template <class M>
struct FromSession {
  SessionId session;
  M& message;
};
/// A frame of a node could not be read; it was to bring the results of these attempts.
struct ResultsUnreadable {
  SessionId session;
  const std::vector<AssignmentRef>& refs;
  const Error& error;
};

/// Not thread-safe. Pure. Nothing that a node says is believed unless the attempt was issued to
/// its session.
class Lifecycle {
 public:
  /// `lost`: the time within which nodes may be lost for one reason (Blame).
  Lifecycle(const AttemptLimits& limits, Duration lost, std::uint64_t epoch, bool durable,
            Metrics& metrics);

  /// Takes the payload out of the event. Have Accepted handled while the event lasts.
  void handle(Accept& event, const Now& now);
  void handle(const Assign& event, const Now& now);
  void handle(const AskBack& event, const Now& now);
  void handle(const Cancel& event, const Now& now);
  void handle(const Reprioritise& event, const Now& now);
  void handle(const Expire& event, const Now& now);
  void handle(const EndPhase& event, const Now& now);
  void handle(const PayloadLost& event, const Now& now);

  void handle(const SessionJoined& event, const Now& now);
  void handle(const SessionHolds& event, const Now& now);
  void handle(const SessionUnreached& event, const Now& now);
  void handle(const SessionLost& event, const Now& now);
  void handle(const FromSession<msg::AssignAck>& event, const Now& now);
  void handle(const FromSession<msg::Progress>& event, const Now& now);
  void handle(const FromSession<msg::Result>& event, const Now& now);
  void handle(const FromSession<msg::AbortAck>& event, const Now& now);
  void handle(const ResultsUnreadable& event, const Now& now);

  /// Takes up a task of an earlier process. One that was assigned is recovering: its node may
  /// report it.
  Task& restore(TaskRecord record, const Now& now);
  /// Nobody has reported these recovering tasks. Nobody is blamed: whether they were being executed
  /// is not known.
  void give_up(const std::vector<Task*>& tasks, const Now& now);

  /// Sends aborts again. What has become due of a single task is for the caller: next_due().
  void expire(const Now& now);
  /// A task whose time, or whose attempt's time, is over: it gets Expire or EndPhase. Null: none.
  Task* next_due(const Now& now) { return tasks_.next_due(now.mono); }
  /// For next_due().
  Duration next_due_at() const { return tasks_.next_deadline(); }
  /// The phase goes on for as long as an acknowledgement may take.
  void wait_on(Task& task, const Now& now) {
    tasks_.set_usual_phase_end(task, now.mono + limits_.assign_ack);
  }
  Duration next_deadline() const { return assignments_.next_deadline(); }

  /// What has happened since, in order.
  void take_events(std::vector<TaskEvent>& into) {
    into.clear();
    std::swap(into, events_);
  }
  bool has_events() const { return !events_.empty(); }

  TaskTable& tasks() { return tasks_; }
  const TaskTable& tasks() const { return tasks_; }
  Changes& changes() { return changes_; }
  const Assignments& assignments() const { return assignments_; }
  std::uint64_t epoch() const { return epoch_; }
  void raise_epoch(std::uint64_t epoch) { epoch_ = epoch; }
  /// One task per ended or refused thing is a line for debugging: `on` when somebody reads them.
  void tell_all(bool on) { tells_all_ = on; }
  void check() const;

 private:
  // Edges.
  void acknowledge(Task& task, Assignee& assignee, const Now& now);
  void keep(Task& task, Assignee& assignee, IssuedAttempt& attempt, const Now& now);
  void requeue(Task& task, Cause cause, ErrorCode code, const std::string& reason, const Now& now,
               const std::string& said = {});
  /// `said`: by the node, and may quote the payload: not for logs.
  void finish(Task& task, Step step, ErrorCode code, std::string reason, const Now& now,
              const IssuedAttempt* by = nullptr, const std::string& said = {},
              std::uint64_t load_ms = 0);
  void take_back(Task& task, ErrorCode code, const std::string& reason, const Now& now);
  void quarantine(Task& task, const Now& now);
  void start_clock(Task& task, const Assignee& assignee, const Now& now);
  /// Takes the present attempt away from its session, and returns that.
  Assignee& detach(Task& task);
  bool used_up(const Task& task) const;

  // Aborts.
  void abort_current(Task& task, ErrorCode code, const Now& now);
  void abort_attempt(Assignee& assignee, const AssignmentRef& ref, ErrorCode code, const Now& now);
  void tell_aborting(const Assignee& assignee);

  // What nodes say.
  void claim(Assignee& assignee, const AssignmentRef& ref, const Now& now);
  void drop_unheld(Assignee& assignee, const std::vector<AssignmentRef>& held, const Now& now);
  void refuse(Task& task, Assignee& assignee, const msg::AssignAck::Entry& entry, const Now& now);
  ErrorCode take_result(Assignee& assignee, msg::Result::Entry& entry, const Now& now);
  void complete(Task& task, IssuedAttempt& attempt, msg::Result::Entry& entry, const Now& now);
  void take_error(Task& task, Assignee& assignee, ValueMap info, const Now& now);
  void take_returned(Task& task, Assignee& assignee, const ValueMap& info, const Now& now);

  template <class Event>
  void tell(Event&& event) {
    events_.emplace_back(std::forward<Event>(event));
  }
  void behaved(const Assignee& assignee, Conduct conduct, const Task* task = nullptr,
               std::string said = {}) {
    tell(task_event::Behaved{assignee.session, conduct, task, std::move(said)});
  }

  const AttemptLimits& limits_;
  std::uint64_t epoch_;
  Counter& accepted_total_;
  Counter& requeued_total_;
  Counter& late_results_total_;
  Counter& discarded_results_total_;
  Histogram& queue_ms_;

  Changes changes_;
  TaskTable tasks_;
  Assignments assignments_;
  Blame blame_;
  std::uint64_t sequence_ = 0;
  bool tells_all_ = false;
  std::vector<TaskEvent> events_;
};

}  // namespace genai::dispatcher
