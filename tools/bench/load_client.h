// A client that keeps a window of tasks open and times each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/messages.h"
#include "protocol/transport/socket.h"
#include "tools/bench/latencies.h"

namespace genai::bench {

struct LoadOptions {
  std::string dispatcher;
  std::size_t window = 100;  // tasks submitted and not yet delivered
  std::size_t batch = 32;    // tasks in a SUBMIT, at most
  std::size_t payload_bytes = 256;
  std::uint64_t tasks = 1'000'000;  // submits no more than this
  double seconds = 5;               // nor after this
};

struct LoadReport {
  std::uint64_t tasks = 0;     // delivered
  double seconds = 0;          // from the first SUBMIT to the last DELIVER
  Latencies accepted, result;  // from SUBMIT
};

/// Not thread-safe. Throws std::runtime_error when a task is refused, does not complete, or when
/// nothing arrives for 30 s.
class LoadClient {
 public:
  LoadClient(transport::Context& context, const LoadOptions& options);

  /// Waits until `providers` nodes are online, 30 s at most.
  void wait_online(std::size_t providers);
  LoadReport run();
  ValueMap stats();

 private:
  Message receive();
  void submit(std::size_t count);
  std::size_t on_deliver(const msg::Deliver& message);

  const LoadOptions options_;
  const Blob payload_;
  const TaskSpec spec_;
  const std::string run_;  // makes ids of this run its own
  transport::Dealer socket_;
  transport::PollSet poll_;
  std::uint64_t request_ = 0;
  std::vector<Duration> submitted_at_;  // by number of the task
  std::vector<bool> delivered_;         // a DELIVER may come twice
  LoadReport report_;
};

}  // namespace genai::bench
