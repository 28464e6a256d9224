// Nodes that answer at once: many connections in one thread, so that the nodes cost little and the
// dispatcher is what is measured.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "protocol/messages.h"
#include "protocol/transport/socket.h"

namespace genai::bench {

struct EchoOptions {
  std::string broker;
  unsigned connections = 8;
  std::uint32_t slots = 512;  // of each
  std::size_t result_bytes = 256;
};

/// Runs from construction to destruction on a thread of its own. The nodes follow SPEC.md: what
/// they hold is held until its RESULT_ACK.
class EchoFleet {
 public:
  explicit EchoFleet(const EchoOptions& options);
  ~EchoFleet();
  EchoFleet(const EchoFleet&) = delete;

  /// What the ids of its nodes begin with, and no other fleet's.
  const std::string& name() const { return name_; }
  std::uint64_t executed() const { return executed_; }

 private:
  struct Node {
    transport::Dealer socket;
    SessionId session;
    NodeId node_id;
    bool joined = false;
    std::uint64_t seq = 0;
    Duration beat_at{0};
    std::set<AssignmentRef> held;
  };
  void run();
  void drain(Node& node);
  void on_assign(Node& node, const msg::Assign& assign);
  void beat(Node& node, Duration now);

  const EchoOptions options_;
  const std::string name_;
  const Blob result_;
  transport::Context context_;
  std::vector<Node> nodes_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> executed_ = 0;
  std::thread thread_;
};

}  // namespace genai::bench
