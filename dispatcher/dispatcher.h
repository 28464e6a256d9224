// The dispatcher without its sockets: six machines, each of which owns its state alone, and the
// events that go from one to the other. Pure: none knows a clock, a socket or a file.
//
//   Membership  fleet/      which nodes there are, and how they are reached
//   Lifecycle   tasks/      the life of every task until it ends (with Recovery after a restart)
//   Archive     tasks/      how long results and histories are kept after that
//   Placement   placement/  which task goes where next
//   Desk        desk/       what clients ask and are told
//   Committer   store/      which change is written when, and what waits for that: the loop's
//
// A loop hands in all that has arrived, then calls expire, then take_events, and sends those: what
// promises something only after the changes it rests on were committed (Committer). Bytes from
// outside may be anything; whatever they are, the dispatcher answers with a coded error or drops
// them, and stays whole.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dispatcher/config.h"
#include "dispatcher/desk/desk.h"
#include "dispatcher/effects.h"
#include "dispatcher/fleet/membership.h"
#include "dispatcher/outbox.h"
#include "dispatcher/placement/placement.h"
#include "dispatcher/recent_events.h"
#include "dispatcher/store/journal.h"
#include "dispatcher/store/reads.h"
#include "dispatcher/store/report.h"
#include "dispatcher/store/store.h"
#include "dispatcher/tasks/archive.h"
#include "dispatcher/tasks/lifecycle.h"
#include "dispatcher/tasks/recovery.h"
#include "protocol/base/check.h"
#include "protocol/base/metrics.h"
#include "protocol/base/rate_limit.h"

namespace genai::dispatcher {

/// A frame of a broker.
struct LinkFrame {
  std::size_t broker;
  const Blob& frame;
};

/// Not thread-safe. It must end on the thread that made it.
class Dispatcher {
 public:
  /// `epoch` must be greater than that of any earlier dispatcher for the same fleet.
  Dispatcher(const Config& config, InstanceId instance, std::uint64_t epoch,
             const std::vector<std::string>& broker_endpoints, const Now& now);

  /// Takes up the tasks of earlier processes, page by page, in the order of their sequences; before
  /// anything else. Those that were assigned wait for the lost time after the first link is up: a
  /// node that still holds one keeps it.
  void restore(store::Page loaded, const Now& now);

  void handle(const LinkFrame& event, const Now& now);
  void handle(const ClientFrame& event, const Now& now);
  void handle(const ClientMalformed& event, const Now& now);
  void handle(const ClientGone& event, const Now& now);
  void handle(const KeysRevoked& event, const Now& now);
  /// A read of Effects::reads was done. Each must be, unless the process ends.
  void handle(DataRead event) { read_.push_back(reads_.handle(std::move(event))); }
  /// All that take_changes() and take_frees() have given is on the disk.
  void handle_stored();
  void handle(StoreReport report) { desk_.handle(std::move(report)); }
  void count_dropped_answer() { desk_.count_dropped_answer(); }

  /// Acts on every deadline that has come, then places what can be placed.
  void expire(const Now& now);
  /// When expire is due next, on the mono clock: at most a quarter of the lost time after the last.
  Duration next_deadline() const;
  /// What is to be sent and told.
  Effects take_events();
  void read_debug_notes(bool on);

  // ---- what is to be stored
  bool has_changes() const { return !journal_.empty() || placement_.has_changes(); }
  /// When the changes should be committed: at once, unless nobody waits for them; kNever when there
  /// are none. Not part of next_deadline().
  Duration next_commit() const {
    return std::min(journal_.next_deadline(), placement_.next_commit());
  }
  /// `all`: also what could wait for longer.
  store::Batch take_changes(const Now& now, bool all = false);
  /// Returns the changes that only free room on the disk. Call it while `stuck`, a batch that was
  /// taken before, does not fit there; the tasks of `stuck` are left out.
  store::Batch take_frees(const store::Batch& stuck) { return journal_.take_frees(stuck); }
  /// Bytes of payloads and results that came since take_changes(), if they are to be written.
  std::size_t uncommitted_bytes() const { return journal_.bytes(); }

  /// No new tasks from now on, whatever operators say.
  void stop() { desk_.stop(); }
  /// Whether every accepted task is terminal and no client waits for a result.
  bool is_idle() const { return tasks().live() == 0 && desk_.is_idle(); }
  std::size_t live_tasks() const { return tasks().live(); }
  std::size_t unfetched_results() const { return archive_.unacknowledged(); }

  std::uint64_t epoch() const { return membership_.epoch(); }
  bool wants_epoch() const { return membership_.wants_epoch(); }
  std::uint64_t least_epoch() const { return membership_.least_epoch(); }
  void raise_epoch(std::uint64_t epoch, const Now& now);

  const TaskTable& tasks() const { return lifecycle_.tasks(); }
  const Providers& providers() const { return placement_.providers(); }
  const Membership& membership() const { return membership_; }
  const Placement& placement() const { return placement_; }
  const Lifecycle& lifecycle() const { return lifecycle_; }
  const Clients& clients() const { return desk_.clients(); }
  /// Of this process, since its start; SPEC.md, "Metrics", lists them.
  const Metrics& metrics() const { return metrics_; }

  /// Aborts when something is wrong. O(everything).
  void check() const;

 private:
  void hand_on(const Now& now);
  void hand_on_tasks(const Now& now);
  template <class Event>
  void hand_on(Event& event, const Now& now);

  // Of tasks.
  void on(task_event::Accepted& event, const Now& now);
  void on(task_event::Assigned& event, const Now& now);
  void on(task_event::Acknowledged& event, const Now& now);
  void on(task_event::Requeued& event, const Now& now);
  void on(task_event::Ended& event, const Now& now);
  void on(task_event::Progressed& event, const Now& now) { desk_.handle(event, now); }
  void on(task_event::Reprioritised& event, const Now& now) { placement_.handle(event, now); }
  void on(task_event::Aborting& event, const Now& now) { placement_.handle(event, now); }
  void on(task_event::Behaved& event, const Now& now);
  void on(task_event::SessionEnded& event, const Now& now) { placement_.handle(event, now); }
  void on(task_event::SendAssign& event, const Now& now);
  void on(task_event::SendAbort& event, const Now& now);
  void on(task_event::SendKeep& event, const Now& now);
  void on(task_event::SendResultAck& event, const Now& now);

  // Of nodes and brokers.
  void on(fleet_event::Joined& event, const Now& now);
  void on(fleet_event::ReachChanged& event, const Now& now) { placement_.handle(event, now); }
  void on(fleet_event::Loaded& event, const Now& now) { placement_.handle(event, now); }
  void on(fleet_event::Held& event, const Now& now);
  void on(fleet_event::Spoke& event, const Now& now);
  void on(fleet_event::Unreached& event, const Now& now);
  void on(fleet_event::Lost& event, const Now& now);
  void on(fleet_event::LinkUp& event, const Now& now);
  void on(fleet_event::Superseded& event, const Now& now) { desk_.handle(event, now); }
  void on(fleet_event::SendToBroker& event, const Now& now);
  void on(fleet_event::Reopen& event, const Now& now);

  // Of clients.
  void on(desk_event::Reply& event, const Now& now);
  void on(desk_event::SendUpdate& event, const Now& now);
  void on(desk_event::SendResult& event, const Now& now);
  void on(desk_event::ReadResult& event, const Now& now);
  void on(desk_event::ReadPart& event, const Now& now);
  void on(desk_event::Fetched& event, const Now& now);
  void on(desk_event::Purge& event, const Now& now);
  void on(desk_event::Annotate& event, const Now& now);
  void on(desk_event::DrainNode& event, const Now& now);
  void on(desk_event::Refused& event, const Now& now);
  void on(Accept& event, const Now& now);
  void on(Cancel& event, const Now& now) { lifecycle_.handle(event, now); }
  void on(Reprioritise& event, const Now& now) { lifecycle_.handle(event, now); }

  // Of the archive, and of all.
  void on(Forgotten& event, const Now& now);
  void on(ResultDropped& event, const Now& now) { desk_.handle(event, now); }
  void on(Malformed& event, const Now& now);
  void on(LogEvent& event, const Now&) { outbox_.note(std::move(event)); }

  // Of what was read.
  void on(const ForAssign& purpose, ReadResult& read, const Now& now);
  void on(const ForDeliver& purpose, ReadResult& read, const Now& now);
  void on(const ForFetch& purpose, ReadResult& read, const Now& now);
  Task* same(TaskHandle handle, std::uint64_t sequence);
  void use_reads(const Now& now);

  void notice_lateness(const Now& now);
  void judge_tasks(const Now& now);
  void place(const Now& now);
  const Session* reached(const SessionId& session) const { return membership_.find(session); }

  const Config config_;
  Metrics metrics_;
  Counter& malformed_total_;
  Membership membership_;
  Lifecycle lifecycle_;
  Recovery recovery_;
  Archive archive_;
  Placement placement_;
  Desk desk_;
  Journal journal_;
  Reads reads_;
  std::vector<ReadResult> read_;  // since expire()
  Outbox outbox_;

  RateLimit malformed_notes_{10, from_ms(1000)};  // a hostile peer must not fill the log
  Duration last_tick_;
  Duration judge_from_{0};  // links and acks are not judged before: this process itself was late
  RecentEvents recent_;
  Witness witness_;
  // What is being handed on; kept for their memory.
  std::vector<FleetEvent> fleet_events_;
  std::vector<TaskEvent> task_events_;
  std::vector<ArchiveEvent> archive_events_;
  std::vector<DeskEvent> desk_events_;
  std::vector<LogEvent> placement_events_;
};

}  // namespace genai::dispatcher
