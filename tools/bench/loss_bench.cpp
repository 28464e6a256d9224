#include "tools/bench/loss_bench.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "dispatcher/dispatcher.h"
#include "protocol/transport/system.h"
#include "protocol/wire/codec.h"

namespace genai::bench {
namespace {

/// A core, its broker and its nodes, without sockets. Time stands still: nothing becomes due.
class Fleet {
 public:
  Fleet(std::size_t nodes, std::size_t tasks)
      : core_({}, transport::random_id<InstanceId>(), 1, {"ipc://broker"}, now_) {
    msg::Snapshot snapshot{broker_, 1, 60'000, {}, false};
    for (std::size_t i = 0; i < nodes; ++i) {
      msg::ProviderEntry entry;
      entry.session = transport::random_id<SessionId>();
      entry.node_id = *NodeId::parse("node-" + std::to_string(i));
      entry.meta.slots = static_cast<std::uint32_t>((tasks + nodes - 1) / nodes);
      sessions_.push_back(entry.session);
      snapshot.providers.push_back(std::move(entry));
    }
    from_broker(snapshot);
    submit(tasks);
    acknowledge();
    if (core_.tasks().count(TaskStatus::kSent) != tasks)
      throw std::runtime_error("the nodes did not get all tasks");
  }

  double lose_ms() {
    msg::Delta delta{broker_, 2, {}};
    for (const SessionId& session : sessions_) {
      msg::Delta::StateChanged lost{session, ProviderState::kLost, "silent"};
      delta.changes.emplace_back(std::in_place_type<msg::Delta::StateChanged>, std::move(lost));
    }
    const Blob frame(encode(delta));
    const Duration begin = transport::read_clock().mono;
    core_.handle(dispatcher::LinkFrame{0, frame}, now_);
    core_.expire(now_);
    core_.take_events();
    const Duration took = transport::read_clock().mono - begin;
    if (core_.tasks().count(TaskStatus::kSent) != 0)
      throw std::runtime_error("not all tasks were requeued");
    return dispatcher::seconds(took) * 1000;
  }

 private:
  void from_broker(const LinkToDispatcher& message) {
    core_.handle(dispatcher::LinkFrame{0, Blob(encode(message))}, now_);
    core_.expire(now_);
  }
  void submit(std::size_t tasks) {
    msg::Submit message{1, msg::WatchLevel::kNone, {}};
    for (std::size_t i = 0; i < tasks; ++i) {
      message.tasks.push_back({*TaskId::parse("task-" + std::to_string(i)), {}, Blob()});
      if (message.tasks.size() < limits::kMaxBatchEntries && i + 1 < tasks) continue;
      core_.handle(dispatcher::ClientFrame{"client", Identity::anyone(), Blob(encode(message))},
                   now_);
      message.tasks.clear();
    }
    core_.expire(now_);
  }
  /// Each node takes what it was given, and says so.
  void acknowledge() {
    msg::FromNodes answers;
    for (const auto& [broker, message] : core_.take_events().at_once.to_brokers) {
      const auto* parcels = std::get_if<msg::ToNodes>(&message);
      if (!parcels) continue;
      for (const auto& [session, frame] : parcels->parcels) {
        const auto assign = decode<ToNode>(frame);
        msg::AssignAck ack;
        for (const auto& entry : std::get<msg::Assign>(*assign).entries)
          ack.entries.push_back({entry.ref, ErrorCode::kOk, ""});
        answers.parcels.push_back({session, Blob(encode(ack))});
      }
    }
    from_broker(answers);
  }

  const Now now_{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  const InstanceId broker_ = transport::random_id<InstanceId>();
  std::vector<SessionId> sessions_;
  dispatcher::Dispatcher core_;
};

}  // namespace

double lose_nodes_ms(std::size_t nodes, std::size_t tasks) { return Fleet(nodes, tasks).lose_ms(); }

}  // namespace genai::bench
