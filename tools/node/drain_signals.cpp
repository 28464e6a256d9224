#include "tools/node/drain_signals.h"

#include <poll.h>

#include <utility>

namespace genai::node {

DrainSignals::DrainSignals(runtime::SignalFd& signals, OnPhase on_phase)
    : on_phase_(std::move(on_phase)) {
  thread_ = std::thread([this, &signals] { watch(signals); });
}

DrainSignals::~DrainSignals() {
  stop_.wake();
  thread_.join();
}

void DrainSignals::watch(runtime::SignalFd& signals) {
  runtime::DrainState state;
  pollfd waits[] = {{stop_.fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
  for (;;) {
    if (poll(waits, 2, -1) < 0) continue;
    if (waits[0].revents) return;
    while (const auto signo = signals.read()) {
      const auto before = state.phase();
      if (state.on_signal(*signo) != before) on_phase_(state.phase());
    }
  }
}

}  // namespace genai::node
