// The broker's sockets around its core: bounded drain, handle, expire, send.
#pragma once

#include <vector>

#include "broker/core.h"
#include "broker/options.h"
#include "protocol/runtime/event_log.h"
#include "protocol/runtime/signals.h"
#include "protocol/security/guard.h"
#include "protocol/transport/drain.h"
#include "protocol/transport/socket.h"

namespace genai::broker {

/// One thread owns it all.
class Loop {
 public:
  /// Make the SignalFd first: it must exist before the transport's threads.
  explicit Loop(const Options& options);

  /// Binds both sockets; an error says which one failed and why.
  Expected<void> bind();
  /// Serves until SIGTERM or SIGINT. Nothing needs to be saved: nodes and dispatcher come back by
  /// themselves.
  void run(runtime::SignalFd& signals);

 private:
  bool drain(const transport::Turn& turn, const Now& now);
  bool drain_nodes(const transport::Turn& turn, const Now& now);
  bool drain_link(const transport::Turn& turn, const Now& now);
  void apply(const Now& now);
  void send_to_nodes(std::vector<NodeOutput>& outputs, const Now& now);
  void send_to_link(std::vector<LinkOutput>& outputs, const Now& now);
  bool stop_requested(runtime::SignalFd& signals);

  Options options_;
  transport::Context context_;
  transport::Guard guard_;
  transport::Router nodes_;
  transport::Router link_;
  Core core_;
  runtime::EventLog log_;
};

}  // namespace genai::broker
