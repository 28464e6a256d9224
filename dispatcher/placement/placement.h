// Placement: which task goes to which provider next, and what tasks may expect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher/fleet/events.h"
#include "dispatcher/placement/backlog.h"
#include "dispatcher/placement/measures.h"
#include "dispatcher/placement/node_row.h"
#include "dispatcher/placement/policy.h"
#include "dispatcher/placement/providers.h"
#include "dispatcher/placement/queue_entry.h"
#include "dispatcher/placement/scheduler.h"
#include "dispatcher/placement/tenants.h"
#include "dispatcher/tasks/events.h"
#include "protocol/base/metrics.h"

namespace genai::dispatcher {

/// Follows what happens to tasks and nodes, and knows of each task that has not ended where it
/// stands. Not thread-safe. Pure.
class Placement {
 public:
  /// `durable`: what is measured is kept for a store.
  Placement(const PlacementPolicy& policy, bool durable, Metrics& metrics);

  // What happens to tasks. Events that do not matter here are not listed.
  void handle(const task_event::Accepted& event, const Now& now);
  void handle(const task_event::Assigned& event, const Now& now);
  void handle(const task_event::Acknowledged& event, const Now& now);
  void handle(const task_event::Requeued& event, const Now& now);
  void handle(const task_event::Ended& event, const Now& now);
  void handle(const task_event::Reprioritised& event, const Now& now);
  void handle(const task_event::Aborting& event, const Now& now);
  void handle(const task_event::Behaved& event, const Now& now);
  void handle(const task_event::SessionEnded& event, const Now& now);

  // What happens to nodes.
  void handle(const fleet_event::Joined& event, const Now& now);
  void handle(const fleet_event::ReachChanged& event, const Now& now);
  void handle(const fleet_event::Loaded& event, const Now& now);

  /// An operator's wish; false: no node of this id was ever connected.
  bool drain(const NodeId& node, bool on, const Now& now);

  /// Takes up a task of an earlier process that has not ended; one that is recovering is not
  /// queued.
  void restore(Task& task, const Now& now);
  void restore(const store::NodeRow& row);
  void restore(const std::vector<store::MeasureRow>& rows);

  /// Ends the rests of providers.
  void expire(const Now& now);
  /// Moves the tasks whose time has come into their queues.
  void release(const Now& now) { backlog_.release_due(now.mono); }
  /// When release() and expire() are due.
  Duration next_release() const { return backlog_.next_deadline(); }
  Duration next_deadline() const { return providers_.next_deadline(); }

  /// Begins a pass: call next() until it has nothing more, and have each task assigned before the
  /// next call.
  void start() { scheduler_.start(); }
  struct Choice {
    TaskHandle task;
    SessionId session;
    std::string reason;
  };
  std::optional<Choice> next(const Now& now);
  /// Tasks to be asked back from where they wait, since another provider could begin them sooner.
  std::vector<TaskHandle> recalls(const Now& now);

  /// What people should know.
  void take_events(std::vector<LogEvent>& into) {
    into.clear();
    std::swap(into, events_);
  }

  // ---- what others ask
  /// Why no task like this can be taken in now: too many kinds, or the quota of its tenant.
  std::optional<Error> no_room_for(const TaskSpec& spec, std::size_t content_bytes) const;
  /// Tasks like this are not known yet: to take one in costs a look at the whole fleet.
  bool is_new_kind(const TaskSpec& spec) const { return backlog_.is_new_kind(spec); }
  /// About how long such a task runs, anywhere.
  std::optional<double> run_s(const TaskSpec& spec);
  /// Attempts in a row at the node of the session that did not complete.
  std::uint32_t failures(const SessionId& session) {
    return providers_.find(session)->record->failures;
  }
  /// Null: it has ended.
  const QueueEntry* entry(const Task& task) const { return entries_.find(task.handle); }
  /// What the client of a new task is told.
  std::string misfits(const Task& task, const Now& now);
  msg::Estimate promise(const Task& task, const Now& now);
  msg::Estimate estimate(const Task& task, const Now& now);
  std::vector<Candidate> candidates(const Task& task, std::size_t count, const Now& now);
  std::string reason_to_wait(const Task& task, const Now& now);

  const Providers& providers() const { return providers_; }
  const Measures& measures() const { return measures_; }
  const Tenants& tenants() const { return tenants_; }
  const Backlog& backlog() const { return backlog_; }

  // ---- what is to be stored
  /// Nodes of which something was measured, or that were drained, since the last call.
  void take_changes(std::vector<store::NodeRow>& nodes, std::vector<store::MeasureRow>& measures);
  bool has_changes() const { return !unsaved_nodes_.empty(); }
  /// When they should be written; kNever when there are none.
  Duration next_commit() const { return unsaved_due_; }

  void check() const;

 private:
  QueueEntry& enroll(Task& task, const TaskSpec& spec, const Now& now);
  QueueEntry& entry_of(const Task& task) { return *entries_.find(task.handle); }
  void leave_queue(QueueEntry& entry, bool is_recovering);
  void occupy(QueueEntry& entry, Provider& provider, const Now& now);
  void vacate(QueueEntry& entry, Provider& provider, const Now& now);
  void hold_back(QueueEntry& entry, const Task& task, const Now& now);
  void measure(const QueueEntry& entry, Provider& provider, std::uint64_t load_ms, const Now& now);
  void save_later(Provider& provider, Duration at);
  store::NodeRow row_of(const NodeId& node);

  const PlacementPolicy& policy_;
  const bool durable_;
  Histogram& run_ms_;
  Measures measures_;
  Tenants tenants_;
  QueueEntries entries_;
  Backlog backlog_;
  Providers providers_;
  Scheduler scheduler_;
  std::vector<NodeId> unsaved_nodes_;  // each once
  Duration unsaved_due_ = kNever;      // when that should be written
  std::vector<LogEvent> events_;
};

}  // namespace genai::dispatcher
