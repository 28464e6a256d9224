// The real dispatcher core on virtual time, with its broker, nodes and client played by frames.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "dispatcher/dispatcher.h"
#include "tools/bench/virtual_node.h"

namespace genai::bench {

struct VirtualTask {
  Duration work;  // run time at speed 1
  std::string model = {};
  std::string tenant = {};
};

/// What the client saw of a task. Times from the start of the run.
struct VirtualTrip {
  std::string tenant;
  Duration accepted_at{0};
  Duration ended_at = kNever;
  TaskStatus status = TaskStatus::kUnscheduled;  // terminal once delivered
  Duration run{0};                               // of the execution that counted

  Duration in_system() const { return ended_at - accepted_at; }
  /// Until the model was in memory and the work began.
  Duration waited() const { return in_system() - run; }
};

/// Deterministic: the same calls with the same seed give the same trips. Not thread-safe.
class VirtualFleet {
 public:
  VirtualFleet(const dispatcher::Config& config, std::uint64_t seed);
  VirtualFleet(const VirtualFleet&) = delete;  // what is planned points to this one

  void join(NodeTraits traits, Duration at = Duration{0});
  /// In the order of the calls at one time.
  void submit(std::vector<VirtualTask> tasks, Duration at = Duration{0});
  /// Until every task has been delivered. Throws std::runtime_error when one is refused or lost, or
  /// when they do not end.
  void run();

  /// In the order of submission.
  const std::vector<VirtualTrip>& trips() const { return trips_; }
  /// Models loaded and error results sent, by all nodes.
  std::uint64_t loads() const;
  std::uint64_t errors() const;
  const dispatcher::Dispatcher& core() const { return core_; }

 private:
  void act();
  void settle();
  bool apply_effects();
  void advance();
  void hear_client(const ClientReply& message);
  void hear_broker(const LinkToBroker& message);
  void on_accepted(const msg::Accepted& message);
  void on_deliver(const msg::Deliver& message);
  void join_now(NodeTraits traits);
  void submit_now(const std::vector<VirtualTask>& tasks);
  void beat_all();
  void send_from(const SessionId& session, VirtualNode& node);
  void send_snapshot();
  void send_change(msg::Delta::Change change);
  void send_link(const LinkToDispatcher& message);
  void send_client(const ClientRequest& message);
  VirtualTrip& trip(const TaskId& id);
  Duration elapsed() const;
  Duration next_deadline() const;

  struct InFlight {
    Duration arrives;
    SessionId session;
    ToNode message;
  };

  const std::uint64_t seed_;
  Now now_;
  dispatcher::Dispatcher core_;
  std::multimap<Duration, std::function<void()>> plan_;
  std::map<SessionId, VirtualNode> nodes_;
  std::deque<InFlight> in_flight_;  // to nodes, in the order of arrival
  Duration beat_at_;
  std::uint64_t delta_ = 0;
  std::vector<VirtualTrip> trips_;
  std::size_t open_ = 0;
};

}  // namespace genai::bench
