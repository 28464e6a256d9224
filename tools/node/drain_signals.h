// SIGTERM and SIGINT while Node::run has the main thread.
#pragma once

#include <functional>
#include <thread>

#include "protocol/base/wakeup.h"
#include "protocol/runtime/signals.h"

namespace genai::node {

/// Calls `on_phase` on a thread of its own whenever a signal changes the phase. Make it after the
/// SignalFd.
class DrainSignals {
 public:
  using OnPhase = std::function<void(runtime::DrainState::Phase)>;

  /// Throws std::system_error when the system refuses a thread or a descriptor.
  DrainSignals(runtime::SignalFd& signals, OnPhase on_phase);
  ~DrainSignals();
  DrainSignals(const DrainSignals&) = delete;
  DrainSignals& operator=(const DrainSignals&) = delete;

 private:
  void watch(runtime::SignalFd& signals);

  OnPhase on_phase_;
  Wakeup stop_;
  std::thread thread_;
};

}  // namespace genai::node
