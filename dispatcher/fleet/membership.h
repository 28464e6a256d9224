// Which nodes there are and how they are reached: what the brokers tell over their links.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dispatcher/fleet/events.h"
#include "dispatcher/fleet/link.h"
#include "dispatcher/fleet/link_times.h"
#include "dispatcher/fleet/session.h"
#include "protocol/base/rate_limit.h"

namespace genai::dispatcher {

/// What clients are told while the brokers serve another dispatcher.
inline constexpr char kSupersededText[] =
    "another dispatcher serves the nodes: nothing runs here until that one is gone";

Reach reach_of(ProviderState state);
LogEvent node_line(std::string text, const Session& session, std::string reason = {});

/// Not thread-safe. Pure.
class Membership {
 public:
  /// `epoch` must be greater than that of any earlier dispatcher for the same fleet.
  Membership(const LinkTimes& times, InstanceId instance, std::uint64_t epoch,
             const std::vector<std::string>& broker_endpoints, const Now& now);

  /// A message of a broker.
  void handle(std::size_t broker, LinkToDispatcher message, const Now& now);
  /// The node says that it takes no more.
  void handle_leaving(const SessionId& session, const Now& now);
  /// This process was late by so much: it has not heard anybody for that time.
  void forgive(Duration late);

  /// Says hello, sends heartbeats, and judges the silence of brokers, and of nodes that no broker
  /// tells of; nobody before `judge_from`.
  void expire(const Now& now, Duration judge_from);
  Duration next_deadline(Duration judge_from) const;
  void take_events(std::vector<FleetEvent>& into) {
    into.clear();
    std::swap(into, events_);
  }
  bool has_events() const { return !events_.empty(); }

  const Session* find(const SessionId& session) const;
  std::size_t size() const { return sessions_.size(); }
  const std::vector<Link>& links() const { return links_; }
  /// Whether the broker has been heard of late.
  bool is_heard(std::size_t broker, const Now& now) const;

  /// Whether other dispatchers have taken all brokers over: then nothing runs here.
  bool is_superseded() const;
  bool is_refused_everywhere() const;

  std::uint64_t epoch() const { return epoch_; }
  /// Whether a later dispatcher has served a broker and is gone: with a higher epoch, once that is
  /// on the disk, this one serves there again.
  bool wants_epoch() const;
  /// The least that may be tried then. How high the other's was is not known (its clock may have
  /// been fast), so each that is in vain is followed by a step twice as large.
  std::uint64_t least_epoch() const { return epoch_ + epoch_step_; }
  void raise_epoch(std::uint64_t epoch, const Now& now);

  void check() const;

 private:
  // What brokers say (membership.cpp).
  void on(std::size_t broker, msg::Snapshot& snapshot, const Now& now);
  void on(std::size_t broker, msg::Delta& delta, const Now& now);
  void on(std::size_t broker, msg::LinkHeartbeat& beat, const Now& now);
  void on(std::size_t broker, msg::FromNodes& message, const Now& now);
  void on(std::size_t broker, msg::Undelivered& message, const Now& now);
  void on(std::size_t broker, msg::LinkStats& message, const Now& now);
  void on(std::size_t broker, msg::ErrorReply& error, const Now& now);
  void begin_listing(std::size_t broker, const msg::Snapshot& snapshot);
  void end_listing(std::size_t broker, const msg::Snapshot& snapshot, const Now& now);
  void apply(std::size_t broker, msg::Delta::Joined& change, const Now& now);
  void apply(std::size_t broker, msg::Delta::StateChanged& change, const Now& now);
  void apply(std::size_t broker, msg::Delta::Beat& change, const Now& now);

  // Sessions (sessions.cpp).
  Session* session_of(const SessionId& session);
  Session* find_node(const NodeId& node);
  Session& add(const msg::ProviderEntry& entry, std::size_t broker);
  void remove(Session& session);
  void join(std::size_t broker, msg::ProviderEntry& entry, bool says_hello, const Now& now);
  void lose(Session& session, Cause cause, ErrorCode code, const std::string& reason,
            const Now& now);
  void set_reach(Session& session, Reach reach, const Now& now);
  void set_lost_at(Session& session, Duration at);
  void set_graces(const Now& now);
  bool is_stolen(std::size_t broker, const msg::ProviderEntry& entry);
  bool is_online_elsewhere(std::size_t broker, const Session* session) const;
  bool keep_elsewhere(std::size_t broker, const msg::ProviderEntry& entry);
  void tell_node_id_in_use(std::size_t broker, const msg::ProviderEntry& entry);
  void ask_elsewhere(const Session& session, const Now& now);

  // Links (links.cpp).
  void expire_link(std::size_t broker, const Now& now, Duration judge_from);
  void say_hello(std::size_t broker, const Now& now);
  void link_down(std::size_t broker, const Now& now);
  bool any_link_up() const;
  void on_refused(std::size_t broker, const Error& error, const Now& now);
  void tell_of_no_answer(Link& link, const Now& now);

  template <class Event>
  void tell(Event&& event) {
    events_.emplace_back(std::forward<Event>(event));
  }

  const LinkTimes& times_;
  const InstanceId instance_;
  std::uint64_t epoch_;
  std::uint64_t epoch_step_ = 1;
  std::vector<Link> links_;
  std::unordered_map<SessionId, std::unique_ptr<Session>> sessions_;
  std::unordered_map<NodeId, Session*> nodes_;
  std::vector<Session*> by_index_;  // null: free
  std::vector<std::size_t> free_indexes_;
  std::set<std::pair<Duration, std::size_t>> losses_due_;  // by time, then index
  RateLimit broker_error_notes_{10, from_ms(6000)};
  std::vector<FleetEvent> events_;
};

}  // namespace genai::dispatcher
