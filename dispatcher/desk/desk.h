// The desk serves clients: what they may ask, what they are told, and which results they wait for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "dispatcher/desk/clients.h"
#include "dispatcher/desk/events.h"
#include "dispatcher/desk/limits.h"
#include "dispatcher/desk/listings.h"
#include "dispatcher/desk/reports.h"
#include "dispatcher/fleet/membership.h"
#include "dispatcher/placement/placement.h"
#include "dispatcher/store/report.h"
#include "dispatcher/tasks/archive.h"
#include "dispatcher/tasks/task_table.h"
#include "protocol/base/identity.h"
#include "protocol/base/limits.h"
#include "protocol/base/metrics.h"
#include "protocol/base/peer_rates.h"
#include "protocol/wire/client.h"

namespace genai::dispatcher {

/// A message of a client. `who` is what the key of its connection stands for now.
struct ClientFrame {
  const std::string& peer;
  const Identity& who;
  const Blob& frame;
};
/// A message of more than one frame came.
struct ClientMalformed {
  const std::string& peer;
  const Identity& who;
};
/// Sending found that the client has no connection any more.
struct ClientGone {
  const std::string& peer;
};
/// The keys stand for nothing, or something else, from now on: their clients are forgotten.
struct KeysRevoked {
  const KeySet& keys;
};

/// The result of the task was read for a client that waits for it.
struct ResultRead {
  Task& task;
  const std::string& peer;
  Blob bytes;
};
/// A part of a result was read, or `bytes` says why not.
struct PartRead {
  Task* task;  // null: it is past or forgotten, and there are no bytes
  const std::string& peer;
  std::uint64_t request;
  std::uint64_t offset;
  Expected<Blob> bytes;
};

/// It changes no task: what it wants changed it tells as events. It may be asked only after all
/// events of the others were handled. Not thread-safe. Pure.
class Desk {
 public:
  Desk(const DeskLimits& limits, const Now& started, TaskTable& tasks, Placement& placement,
       const Membership& fleet, Metrics& metrics);

  /// Begins to serve a request. `who` must last until proceed() returns false.
  void handle(const ClientFrame& event, const Now& now);
  /// Serves the next entry of the request: have the events of the one before handled first, since
  /// each entry sees what the one before it has changed. False: the request is served.
  bool proceed(const Now& now);
  void handle(const ClientMalformed& event, const Now& now);
  void handle(const ClientGone& event, const Now& now);
  void handle(const KeysRevoked& event, const Now& now);

  void handle(const task_event::Accepted& event, const Now& now);
  void handle(const task_event::Ended& event, const Now& now);
  void handle(task_event::Progressed& event, const Now& now);
  /// The attempt that was told of is over.
  void forget_progress(const Task& task) {
    if (!progress_.empty()) progress_.erase(task.handle);
  }
  /// Tells those who follow the task how it is now.
  void tell_watchers(const Task& task);
  void handle(const Forgotten& event, const Now& now);
  void handle(const ResultDropped& event, const Now& now);
  void handle(ResultRead event, const Now& now);
  void handle(PartRead event, const Now& now);
  void handle(const fleet_event::Superseded& event, const Now& now);
  void handle(StoreReport report) { store_ = std::move(report); }
  void count_dropped_answer() { ++dropped_answers_total_; }

  /// Tells watchers what nodes have said since the last call.
  void tell_progressed();
  /// Sends results that are ready, or due again, and goes on with lists. Not while the store is
  /// full: results that cannot leave would only pile up.
  void expire(const Now& now);
  Duration next_deadline() const;

  void take_events(std::vector<DeskEvent>& into) {
    into.clear();
    std::swap(into, events_);
  }
  bool has_events() const { return !events_.empty(); }

  /// No new tasks from now on, whatever operators say.
  void stop() { is_stopping_ = true; }
  bool is_store_full() const { return store_.state == StoreReport::State::kFull; }
  const Clients& clients() const { return clients_; }
  bool is_idle() const { return clients_.is_idle(); }
  Reports& reports() { return reports_; }

 private:
  /// The request that is being served.
  struct Asking {
    std::string peer;
    const Identity* who = nullptr;
  };
  /// A request of several entries, each of which may change what the next one sees.
  template <class M, class R>
  struct Serving {
    M message;
    R reply;
    std::size_t next = 0;
    std::size_t refused_bytes = 0;  // the queue bounds the others
  };
  using Submitting = Serving<msg::Submit, msg::Accepted>;
  using Replaying = Serving<msg::Replay, msg::Accepted>;
  using Cancelling = Serving<msg::Cancel, msg::Cancelled>;
  using Reprioritising = Serving<msg::Reprioritise, msg::Reprioritised>;
  using Purging = Serving<msg::Purge, msg::Purged>;
  using Deleting = Serving<msg::Delete, msg::Deleted>;

  // Requests (requests.cpp).
  template <class M>
  void serve(M& request, const Now& now);
  template <class M>
  void refuse_role(const M& message, const Now& now);
  void refuse(std::uint64_t request, Error error, const Now& now);
  void slow_down(std::uint64_t request);
  std::string_view payer() const { return genai::payer(*asking_.who, asking_.peer); }
  Task* visible(const TaskId& id);
  void reply(ClientReply message) { tell(desk_event::Reply{asking_.peer, std::move(message)}); }
  template <class M, class R>
  void begin(M& message, R reply);
  template <class S>
  bool next_entry(S& serving, const Now& now);
  template <class S>
  void complete(S&, const Now&) {}
  void complete(Submitting& serving, const Now& now);
  void on(msg::Submit& message, const Now& now);
  void on(msg::Replay& message, const Now& now);
  void on(msg::Cancel& message, const Now& now);
  void on(msg::Reprioritise& message, const Now& now);
  void on(msg::Purge& message, const Now& now);
  void on(msg::Delete& message, const Now& now);
  void on(const msg::Drain& message, const Now& now);
  void on(const msg::Ping& message, const Now& now);
  void on(const msg::ErrorReply& message, const Now& now);
  void take_entry(Cancelling& serving, const TaskId& id, const Now& now);
  void take_entry(Reprioritising& serving, const TaskId& id, const Now& now);
  void take_entry(Purging& serving, const TaskId& id, const Now& now);
  void take_entry(Deleting& serving, const TaskId& id, const Now& now);
  msg::Verdict cancel(const TaskId& id);
  msg::Verdict reprioritise(const TaskId& id, std::uint8_t priority);
  msg::Verdict purge(const TaskId& id);
  msg::Verdict forget(const TaskId& id);

  // Admission (admission.cpp).
  void take_entry(Submitting& serving, msg::Submission& submission, const Now& now);
  void take_entry(Replaying& serving, const msg::Replay::Entry& entry, const Now& now);
  std::optional<msg::Acceptance> submit(const msg::Submit& message, msg::Submission& submission,
                                        const Now& now);
  std::optional<msg::Acceptance> replay(const msg::Replay::Entry& entry, const Now& now);
  msg::Acceptance acceptance(const Task& task, const Now& now);
  std::optional<Error> no_room_for(const TaskSpec& spec, std::size_t content_bytes) const;
  std::optional<msg::Acceptance> refusal_of(const TaskId& id, const TaskSpec& spec,
                                            std::size_t content_bytes, const Now& now);
  std::uint64_t retry_after_ms(ErrorCode code, const TaskSpec& spec);
  bool is_draining() const { return is_draining_ || is_stopping_; }

  // Delivery (delivery.cpp).
  void on(const msg::Watch& message, const Now& now);
  void on(const msg::DeliverAck& message, const Now& now);
  void on(const msg::Fetch& message, const Now& now);
  void send_result(const std::string& peer, const Task& task, Blob data);
  void send_part(const std::string& peer, std::uint64_t request, const Task& task,
                 std::uint64_t offset, Blob data);
  void watch(msg::WatchLevel level, Task& task);
  void acknowledge_delivery(const TaskId& id);
  void settle(Task& task);

  // Queries (queries.cpp).
  void on(const msg::StatusQuery& message, const Now& now);
  void on(const msg::List& message, const Now& now);
  void on(const msg::NodesQuery& message, const Now& now);
  void on(const msg::StatsQuery& message, const Now& now);
  bool look_on(Listing& listing, std::size_t& looks, const Now& now);
  void answer_listings(const Now& now);
  void deliver(const Now& now);
  const Progress* progress_of(const Task& task) const;

  template <class Event>
  void tell(Event&& event) {
    events_.emplace_back(std::forward<Event>(event));
  }

  const DeskLimits& limits_;
  TaskTable& tasks_;
  Placement& placement_;
  const Membership& fleet_;
  Counter& dropped_answers_total_;
  Reports reports_;
  Clients clients_;
  Listings listings_;
  PeerRates rates_{limits::kMaxAskedPerSecond};
  PeerRates ranked_{limits::kMaxRankedPerSecond};
  Asking asking_;
  std::variant<std::monostate, Submitting, Replaying, Cancelling, Reprioritising, Purging, Deleting>
      serving_;
  /// What nodes say of the attempts that they run, until these end.
  std::unordered_map<TaskHandle, Progress> progress_;
  std::map<std::uint64_t, const Task*> progressed_;          // since the last tick, by sequence
  std::unordered_map<std::string, std::size_t> fetches_of_;  // by peer, those that wait for a read
  std::size_t fetches_ = 0;
  StoreReport store_;
  bool is_draining_ = false;  // an operator's wish
  bool is_stopping_ = false;  // the process is about to end
  std::vector<DeskEvent> events_;
};

}  // namespace genai::dispatcher
