// Nodes that answer at once: all of them in one thread and on one socket, so that they cost little
// and the dispatcher is what is measured.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "protocol/base/time.h"
#include "protocol/wire/node.h"
#include "tools/bench/hub.h"

namespace genai::bench {

struct EchoOptions {
  std::string broker;
  unsigned connections = 8;
  std::uint32_t slots = 512;  // of each
  std::size_t result_bytes = 256;
  Duration resend = from_ms(5000);  // a result that is not acknowledged, as SPEC.md says
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
  /// Results that were sent once more, since no acknowledgement came.
  std::uint64_t resent() const { return resent_; }

 private:
  struct Node {
    SessionId session;
    NodeId node_id;
    bool joined = false;
    std::uint64_t seq = 0;
    std::map<AssignmentRef, Duration> held;  // when its result was sent last
  };
  void run();
  void drain();
  void on_frame(std::size_t node, const Blob& frame);
  void on_assign(std::size_t node, const msg::Assign& assign);
  void beat(std::size_t node);
  void send_results(std::size_t node, const std::vector<AssignmentRef>& refs);
  void resend_results(std::size_t node);

  const EchoOptions options_;
  const std::string name_;
  const Blob result_;
  Hub hub_;
  std::vector<Node> nodes_;  // by connection
  std::multimap<Duration, std::size_t> beats_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> executed_ = 0, resent_ = 0;
  std::thread thread_;
};

}  // namespace genai::bench
