// The dispatcher's sockets around its core: bounded drain, handle, tick, send.
#pragma once

#include <deque>

#include "dispatcher/core.h"
#include "dispatcher/options.h"
#include "protocol/process/signals.h"
#include "protocol/transport/socket.h"

namespace genai::dispatcher {

/// One thread owns it all.
class Loop {
 public:
  /// Make the SignalFd first: it must exist before the transport's threads.
  explicit Loop(const ProgramOptions& options);

  Expected<void> bind();
  /// Serves until told to stop. The first SIGTERM or SIGINT drains: no new tasks, those accepted
  /// are finished and delivered; the second, or the drain timeout, ends it at once.
  /// False when accepted tasks were left behind.
  bool run(process::SignalFd& signals);

 private:
  bool drain_clients(const Now& now);
  bool drain_link(std::size_t broker, const Now& now);
  void apply(process::SignalFd& signals);
  void on_signals(process::SignalFd& signals, const Now& now);
  bool is_done(const Now& now) const;
  void fill_poll_set(process::SignalFd& signals);
  transport::Dealer make_link(std::size_t broker);

  ProgramOptions options_;
  transport::Context context_;
  transport::Router clients_;
  std::deque<transport::Dealer> links_;
  transport::PollSet poll_;
  Core core_;
  process::DrainState drain_state_;
  Duration drain_ends_ = kNever;
};

}  // namespace genai::dispatcher
