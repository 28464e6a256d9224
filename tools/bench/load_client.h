// A client that submits tasks at its pace and times each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "protocol/wire/client.h"
#include "tools/bench/calibration.h"
#include "tools/bench/connection.h"
#include "tools/bench/latencies.h"
#include "tools/bench/pace.h"

namespace genai::bench {

struct LoadOptions {
  std::string dispatcher;
  Pace pace;
  std::size_t payload_bytes = 256;
};

struct LoadReport {
  std::uint64_t tasks = 0;      // delivered
  double seconds = 0;           // from the first SUBMIT to the last DELIVER
  double accepted_seconds = 0;  // from the first SUBMIT to the last ACCEPTED
  Latencies accepted, result;   // from SUBMIT, or from when it was due
  Calibration calibration;      // of the estimates in ACCEPTED

  /// Of a client that ran at the same time.
  void add(LoadReport other);
};

/// Not thread-safe. Throws std::runtime_error when a task is refused or does not complete, and
/// Silence when nothing arrives for 30 s although tasks are open.
class LoadClient {
 public:
  /// `check` is called several times a second; what it throws ends the call under way.
  LoadClient(transport::Context& context, const LoadOptions& options, std::function<void()> check);

  /// Between runs of this client it is free for other questions.
  Connection& connection() { return connection_; }
  /// Once.
  LoadReport run();

 private:
  void submit(std::size_t count);
  void on_message(const ClientReply& message);
  void on_accepted(const msg::Accepted& message);
  void on_deliver(const msg::Deliver& message);

  const LoadOptions options_;
  const Blob payload_;
  const TaskSpec spec_;
  const std::string run_;  // makes ids of this run its own
  Connection connection_;
  Duration begin_{0};
  std::unique_ptr<Pacer> pacer_;  // while it runs
  LoadReport report_;
};

}  // namespace genai::bench
