// The dispatcher without its sockets: tasks, placement, delivery. Pure (DESIGN.md, point 1).
//
// A loop calls on_*_frame for all that has arrived, then tick, then take_effects, and sends those:
// what promises something only after the changes it rests on were committed (Committer).
// Bytes from outside may be anything; whatever they are, the core answers with a coded error or
// drops them, and stays whole.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "dispatcher/config.h"
#include "dispatcher/desk/clients.h"
#include "dispatcher/desk/listings.h"
#include "dispatcher/effects.h"
#include "dispatcher/fleet/providers.h"
#include "dispatcher/outbox.h"
#include "dispatcher/placement/backlog.h"
#include "dispatcher/placement/queue_entry.h"
#include "dispatcher/placement/scheduler.h"
#include "dispatcher/store/journal.h"
#include "dispatcher/store/report.h"
#include "dispatcher/store/store.h"
#include "dispatcher/tasks/archive.h"
#include "dispatcher/tasks/changes.h"
#include "dispatcher/tasks/task_table.h"
#include "protocol/base/identity.h"
#include "protocol/base/limits.h"
#include "protocol/base/metrics.h"
#include "protocol/base/peer_rates.h"
#include "protocol/base/rate_limit.h"
#include "protocol/wire/client.h"
#include "protocol/wire/link.h"
#include "protocol/wire/node.h"

namespace genai::dispatcher {

/// Why an attempt ended without a result: who is to blame, and so which counter grows.
enum class Cause { kFault, kLoss, kDrain, kNobody };

/// One broker as seen over its link.
struct Link {
  std::string endpoint;
  InstanceId broker;
  std::uint64_t seq = 0;               // of the last delta applied
  bool up = false;                     // has given a snapshot and been heard since
  bool asks = false;                   // for a new one, until it comes
  ErrorCode refused = ErrorCode::kOk;  // why the broker does not serve this dispatcher
  Duration heard_at{0};
  Duration hello_at{0};      // when to ask (again) for a snapshot
  Duration tell_at{0};       // when to tell people (again) that there is none
  Duration heartbeat_at{0};  // when to send the next one
  struct Listing {
    bool same_broker, was_up;  // before it
    std::unordered_set<SessionId> present;
  };
  std::optional<Listing> listing;  // of a snapshot whose last part has not come yet
  // Listed in its snapshot, but heard at another broker; and nodes of which a session there has
  // taken over from one here. Whoever falls silent there may be here after all.
  std::unordered_set<SessionId> elsewhere;
  std::unordered_set<NodeId> taken_over;
};

/// People are told again of a broker that does not serve this dispatcher.
inline constexpr Duration kTellAgain = from_ms(60'000);
/// What clients are told while the brokers serve another dispatcher.
inline constexpr char kSupersededText[] =
    "another dispatcher serves the nodes: nothing runs here until that one is gone";

/// Of the histograms of spans: 1 ms to an hour.
inline const std::vector<double> kSpanBoundsMs = {
    1, 10, 100, 1'000, 3'000, 10'000, 30'000, 60'000, 300'000, 1'000'000, 3'600'000};

/// Why tasks with these needs wait, worked out once for all tasks of one reply or one tick.
using Explanations = std::map<const TaskClass*, std::string>;

/// Not thread-safe.
class Core {
 public:
  /// `epoch` must be greater than that of any earlier dispatcher for the same fleet.
  Core(const Config& config, InstanceId instance, std::uint64_t epoch,
       const std::vector<std::string>& broker_endpoints, const Now& now);

  /// Takes up the tasks of earlier processes, page by page, in the order of their sequences; before
  /// anything else. Those that were assigned wait for the lost time after the first link is up: a
  /// node that still holds one keeps it.
  void restore(store::Page loaded, const Now& now);

  void on_link_frame(std::size_t broker, const Blob& frame, const Now& now);
  /// `who` is what the peer's key stands for now.
  void on_client_frame(const std::string& peer, const Identity& who, const Blob& frame,
                       const Now& now);
  /// A message of more than one frame came from the client.
  void on_malformed_client(const std::string& peer, const Identity& who, const Now& now);
  /// Sending found that the client has no connection any more.
  void on_client_gone(const std::string& peer, const Now& now);
  /// The keys stand for nothing, or something else, from now on: what their clients watch is
  /// forgotten.
  void on_keys_revoked(const KeySet& keys, const Now& now);

  /// Acts on every deadline that has come, then places what can be placed.
  void tick(const Now& now);
  /// When tick is due next, on the mono clock: at most a quarter of the lost time after the last.
  Duration next_deadline() const;
  Effects take_effects();

  /// What must be committed before the effects taken so far may be sent, if they promise anything.
  bool has_changes() const { return !journal_.empty() || !unsaved_nodes_.empty(); }
  /// When they should be committed: at once, unless nobody waits for them; kNever when there are
  /// none. Not part of next_deadline().
  Duration next_commit() const { return std::min(journal_.next_deadline(), measures_due_); }
  /// `all`: also what could wait for longer.
  store::Batch take_changes(const Now& now, bool all = false);
  /// Of those, what frees room while `stuck`, taken before, does not fit on the disk; no task of
  /// `stuck` is among them.
  store::Batch take_frees(const store::Batch& stuck) { return journal_.take_frees(stuck); }
  /// Payloads and results since take_changes(), if they are to be written.
  std::size_t uncommitted_bytes() const { return journal_.bytes(); }
  void read_debug_notes(bool on) { outbox_.read_debug(on); }
  void count_dropped_answer() { ++dropped_answers_total_; }
  void set_store_report(StoreReport report) { store_ = std::move(report); }

  /// No new tasks from now on, whatever operators say.
  void drain() { stopping_ = true; }
  /// Whether every accepted task is terminal and no client waits for a result.
  bool is_idle() const { return tasks_.live() == 0 && clients_.is_idle(); }
  std::size_t live_tasks() const { return tasks_.live(); }
  std::size_t unfetched_results() const { return archive_.unacknowledged(); }

  std::uint64_t epoch() const { return epoch_; }
  /// Whether a later dispatcher has served a broker and is gone: with a higher epoch, once that is
  /// on the disk, this one serves there again.
  bool wants_epoch() const;
  /// The least that may be tried then. How high the other's was is not known (its clock may have
  /// been fast), so each that is in vain is followed by a step twice as large.
  std::uint64_t least_epoch() const { return epoch_ + epoch_step_; }
  void raise_epoch(std::uint64_t epoch, const Now& now);
  const TaskTable& tasks() const { return tasks_; }
  const Providers& providers() const { return providers_; }
  const Clients& clients() const { return clients_; }

  /// Of this process, since its start; SPEC.md, "Metrics", lists them.
  const Metrics& metrics() const { return metrics_; }

  void check_invariants() const;

 private:
  friend struct Reports;

  // Life cycle: one function per edge (core.cpp).
  void assign(Task& task, Provider& provider, std::string_view reason, const Now& now);
  void occupy(Task& task, Provider& provider, const Now& now);
  void acknowledge(Task& task, Provider& provider, const Now& now);
  void adopt(Task& task, Provider& provider, IssuedAttempt& attempt, const Now& now);
  void start_clock(Task& task, const Provider& provider, const Now& now);
  /// `said`: by the node, and may quote the payload: not for logs.
  void requeue(Task& task, Cause cause, ErrorCode code, const std::string& reason, const Now& now,
               const std::string& said = {});
  void finish(Task& task, TaskStatus status, ErrorCode code, std::string reason, const Now& now,
              const IssuedAttempt* by = nullptr, const std::string& said = {});
  void take_back(Task& task, ErrorCode code, const std::string& reason, const Now& now);
  bool used_up(const Task& task) const;
  void hold_back(Task& task, const Now& now);
  void leave_queue(Task& task);
  Provider* detach(Task& task, const Now& now);
  void abort_current(Task& task, ErrorCode code, const Now& now);
  void abort_attempt(Provider& provider, const AssignmentRef& ref, ErrorCode code, const Now& now);
  static AssignmentRef ref_of(const TaskRecord& task) {
    return {task.id, task.current, task.attempt(task.current)->epoch};
  }
  Task& task_of(const QueueEntry& entry) { return *tasks_.present(entry.handle); }
  void enroll(Task& task, const TaskSpec& spec, const Now& now);

  // Time (core.cpp).
  void end_phase(Task& task, Explanations& explanations, const Now& now);
  void expire_task(Task& task, Explanations& explanations, const Now& now);
  void resend_aborts(const Now& now);
  void ask_back(const Now& now);
  void end_recovery(const Now& now);
  void restore(const store::NodeRow& row);
  void restore(const std::vector<store::MeasureRow>& rows);
  store::NodeRow row_of(const NodeId& node);
  void add_measures(store::Batch& batch);
  void save_later(Provider& provider, const Now& now);
  void enforce_retention(const Now& now);
  void schedule(const Now& now);

  // Membership (core_links.cpp).
  void on_link(std::size_t broker, const msg::Snapshot& snapshot, const Now& now);
  void on_link(std::size_t broker, const msg::Delta& delta, const Now& now);
  void on_link(std::size_t broker, const msg::LinkHeartbeat& beat, const Now& now);
  void on_link(std::size_t broker, const msg::FromNodes& message, const Now& now);
  void on_link(std::size_t broker, const msg::Undelivered& message, const Now& now);
  void on_link(std::size_t broker, const msg::ErrorReply& error, const Now& now);
  void begin_listing(std::size_t broker, const msg::Snapshot& snapshot, const Now& now);
  void end_listing(std::size_t broker, const msg::Snapshot& snapshot, const Now& now);
  void tick_link(std::size_t broker, const Now& now);
  void say_hello(std::size_t broker, const Now& now);
  void tell_node_id_in_use(std::size_t broker, const msg::ProviderEntry& entry);
  void link_down(std::size_t broker, const Now& now);
  void apply(std::size_t broker, const msg::Delta::Joined& change, const Now& now);
  void apply(std::size_t broker, const msg::Delta::StateChanged& change, const Now& now);
  void apply(std::size_t broker, const msg::Delta::Beat& change, const Now& now);
  bool is_stolen(std::size_t broker, const msg::ProviderEntry& entry, const Now& now);
  bool is_online_elsewhere(std::size_t broker, const Provider* provider) const;
  bool keep_elsewhere(std::size_t broker, const msg::ProviderEntry& entry);
  void ask_elsewhere(const Provider& provider, const Now& now);
  Provider& join(std::size_t broker, const msg::ProviderEntry& entry, const Now& now);
  void set_graces(const Now& now);
  void set_reach(Provider& provider, Reach reach, const Now& now);
  void lose(Provider& provider, Cause cause, ErrorCode code, const std::string& reason,
            const Now& now);
  bool is_mass_loss(const Provider& provider, const Now& now);
  bool follows_loss(const TaskRecord& task) const;
  Task* culprit_of(const Provider& provider);
  bool is_dangerous(const Task& task, const Provider& provider) const;
  void quarantine(Task& task, const Now& now);
  bool any_link_up() const;

  // Brokers that serve another dispatcher (core_superseded.cpp).
  void on_refused(std::size_t broker, const Error& error, const Now& now);
  bool is_superseded() const;
  void tell_clients_superseded();
  void tell_of_no_answer(Link& link, const Now& now);

  // What nodes say of tasks (core_nodes.cpp).
  void on_node_frame(Provider& provider, const Blob& frame, const Now& now);
  void on_node(Provider& provider, const msg::AssignAck& message, const Now& now);
  void on_node(Provider& provider, const msg::Progress& message, const Now& now);
  void on_node(Provider& provider, msg::Result& message, const Now& now);
  void on_node(Provider& provider, const msg::AbortAck& message, const Now& now);
  void on_node(Provider&, const msg::ErrorReply&, const Now&) {}  // it is never answered
  ErrorCode take_result(Provider& provider, msg::Result::Entry& entry, const Now& now);
  void take_error(Task& task, Provider& provider, ValueMap info, const Now& now);
  void take_returned(Task& task, Provider& provider, const ValueMap& info, const Now& now);
  void take_unreadable(Provider& provider, const Blob& frame, const Error& error, const Now& now);
  void complete(Task& task, IssuedAttempt& attempt, Provider& provider, msg::Result::Entry& entry,
                const Now& now);
  void measure(const Task& task, Provider& provider, const ValueMap& info, const Now& now);
  void refuse(Task& task, Provider& provider, const msg::AssignAck::Entry& entry, const Now& now);
  void claim(Provider& provider, const AssignmentRef& ref, const Now& now);
  void drop_unheld(Provider& provider, const std::vector<AssignmentRef>& held, const Now& now);

  // What clients ask (core_clients.cpp).
  void on_client(const std::string& peer, msg::Submit& message, const Now& now);
  void on_client(const std::string& peer, const msg::Watch& message, const Now& now);
  void on_client(const std::string& peer, const msg::DeliverAck& message, const Now& now);
  void on_client(const std::string& peer, const msg::Cancel& message, const Now& now);
  void on_client(const std::string& peer, const msg::Replay& message, const Now& now);
  void on_client(const std::string& peer, const msg::Purge& message, const Now& now);
  void on_client(const std::string& peer, const msg::Reprioritise& message, const Now& now);
  void on_client(const std::string& peer, const msg::Drain& message, const Now& now);
  void on_client(const std::string& peer, const msg::Ping& message, const Now& now);
  void on_client(const std::string& peer, const msg::ErrorReply& message, const Now& now);
  msg::Acceptance submit(const std::string& peer, msg::WatchLevel level,
                         msg::Submission& submission, bool alone, const Now& now);
  bool is_draining() const { return draining_ || stopping_; }
  std::string explain(const Task& task, Explanations& explanations, const Now& now);
  std::optional<Error> no_room_for(const TaskSpec& spec, std::size_t content_bytes);
  std::optional<msg::Acceptance> refusal_of(const std::string& peer, const TaskId& id,
                                            const TaskSpec& spec, std::size_t content_bytes,
                                            const Now& now);
  msg::Acceptance acceptance(Task& task, const Now& now);
  std::uint64_t retry_after_ms(ErrorCode code, const TaskSpec& spec);
  Task& admit(const TaskId& id, TaskSpec spec, Blob payload, const Digest& digest,
              std::string_view reason, const Now& now);
  msg::Acceptance replay(const std::string& peer, const msg::Replay::Entry& entry, const Now& now);
  msg::Verdict purge(const TaskId& id);
  msg::Verdict reprioritise(const TaskId& id, std::uint8_t priority, const Now& now);
  void unlink(TaskHandle task);
  void forget(TaskHandle task, const Now& now);
  msg::Verdict cancel(const TaskId& id, const Now& now);
  void watch(const std::string& peer, msg::WatchLevel level, Task& task);
  void notify(const Task& task);
  void notify_progressed();
  void deliver_ready(const Now& now);
  void settle_delivery(Task& task, const Now& now);
  void drop_result(Task& task, const Now& now);
  void drop_unfetched(Task& task, const Now& now);
  void acknowledge_delivery(const std::string& peer, const TaskId& id, const Now& now);
  template <class M>
  void serve(const std::string& peer, M& request, const Now& now);
  template <class M>
  void refuse_role(const std::string& peer, const M& message, const Now& now);
  Task* visible(const TaskId& id);
  bool is_store_full() const { return store_.state == StoreReport::State::kFull; }
  void refuse_unwritten(const std::string& peer, std::uint64_t request);
  void refuse_client(const std::string& peer, std::uint64_t request, Error error, const Now& now);
  void slow_down(const std::string& peer, std::uint64_t request);
  void note_malformed(const char* text, const std::string& key, const std::string& who,
                      const Error& error, const Now& now);

  // What clients want to know (core_queries.cpp).
  void on_client(const std::string& peer, const msg::StatusQuery& message, const Now& now);
  void on_client(const std::string& peer, const msg::List& message, const Now& now);
  void on_client(const std::string& peer, const msg::NodesQuery& message, const Now& now);
  void on_client(const std::string& peer, const msg::StatsQuery& message, const Now& now);
  bool look_on(Listing& listing, std::size_t& looks, const Now& now);
  void answer_listings(const Now& now);

  void register_gauges();

  const Config config_;
  const InstanceId instance_;
  std::uint64_t epoch_;
  std::uint64_t epoch_step_ = 1;
  const Duration started_;

  Metrics metrics_;
  Counter& accepted_total_ = metrics_.counter("accepted_total", "Tasks accepted.");
  Counter& delivered_total_ =
      metrics_.counter("delivered_total", "Results sent to clients, repetitions included.");
  Counter& requeued_total_ = metrics_.counter("requeued_total", "Tasks put back into the queue.");
  Counter& late_results_total_ = metrics_.counter(
      "late_results_total", "Results that counted though their attempt had been given up.");
  Counter& discarded_results_total_ =
      metrics_.counter("discarded_results_total",
                       "Results that did not count: another one had, or the task had ended.");
  Counter& dropped_results_total_ = metrics_.counter(
      "dropped_results_total", "Results dropped since nobody fetched them in time.");
  Counter& dropped_answers_total_ = metrics_.counter(
      "dropped_answers_total", "Answers dropped since their clients did not read.");
  Counter& malformed_total_ = metrics_.counter(
      "malformed_total", "Frames of clients, nodes and brokers that were refused.");
  Histogram& queue_ms_ = metrics_.histogram(
      "queue_ms", "How long tasks waited from their acceptance to their first assignment.",
      kSpanBoundsMs);
  Histogram& run_ms_ = metrics_.histogram(
      "run_ms", "How long tasks ran at their nodes, as far as that was seen from beginning to end.",
      kSpanBoundsMs);

  Changes changes_;
  TaskTable tasks_;
  Journal journal_;
  Measures measures_;
  Tenants tenants_;
  QueueEntries entries_;
  Backlog backlog_;
  std::map<std::uint64_t, Task*> recovering_;  // by sequence
  Duration recovery_ends_ = kNever;            // set when the first link is up
  Providers providers_;
  Scheduler scheduler_;
  Clients clients_;
  Archive archive_;
  std::vector<Link> links_;
  Outbox outbox_;
  /// What nodes say of the attempts that they run, until these end.
  struct Progress {
    double fraction = 0;
    std::string text;
  };
  std::unordered_map<TaskHandle, Progress> progress_;
  std::map<std::uint64_t, const Task*> progressed_;  // since the last tick, by sequence
  Listings listings_;
  PeerRates rates_{limits::kMaxAskedPerSecond};
  PeerRates ranked_{limits::kMaxRankedPerSecond};
  const Identity* asker_ = nullptr;               // of the client's frame that is being handled
  RateLimit malformed_notes_{10, from_ms(1000)};  // a hostile peer must not fill the log
  RateLimit broker_error_notes_{10, from_ms(6000)};

  std::multimap<Duration, std::pair<SessionId, AssignmentRef>> abort_resends_;
  std::uint64_t sequence_ = 0;
  std::uint64_t crashes_ = 0;                       // nodes lost while they were not expected to
  std::deque<std::pair<Duration, NodeId>> losses_;  // of late, each node once
  std::unordered_set<NodeId> lost_of_late_;         // the same
  StoreReport store_;
  std::vector<NodeId> unsaved_nodes_;  // of which something new was measured, each once
  Duration measures_due_ = kNever;     // when that should be written
  bool draining_ = false;              // an operator's wish
  bool stopping_ = false;              // the process is about to end
  Duration last_tick_;
  Duration judge_from_{0};  // links and acks are not judged before: this process itself was late
};

}  // namespace genai::dispatcher
