#include "tools/node/drain_signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace genai::node {

DrainSignals::DrainSignals(runtime::SignalFd& signals, OnPhase on_phase)
    : on_phase_(std::move(on_phase)), stop_fd_(eventfd(0, EFD_CLOEXEC)) {
  if (stop_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::thread([this, &signals] { watch(signals); });
}

DrainSignals::~DrainSignals() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(stop_fd_, &one, sizeof one);
  thread_.join();
  close(stop_fd_);
}

void DrainSignals::watch(runtime::SignalFd& signals) {
  runtime::DrainState state;
  pollfd waits[] = {{stop_fd_, POLLIN, 0}, {signals.fd(), POLLIN, 0}};
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
