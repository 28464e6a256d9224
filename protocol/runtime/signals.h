// Signals as a descriptor to poll, and their meaning for a daemon.
#pragma once

#include <optional>

namespace genai::runtime {

enum class ChildSignals { kIgnore, kWatch };

/// Blocks SIGTERM, SIGINT, SIGHUP (and SIGCHLD if watched) and delivers them on a descriptor.
/// Ignores SIGPIPE. Create it before any ZeroMQ context or thread exists: threads inherit the mask,
/// and a signal that reaches another thread ends the process. When it is destroyed the signals stay
/// blocked, so that a signal during the shutdown does not end the process early. Programs that are
/// started later inherit the mask too: see restore_default_signals.
class SignalFd {
 public:
  /// Throws std::system_error if the descriptor cannot be made.
  explicit SignalFd(ChildSignals children = ChildSignals::kIgnore);
  ~SignalFd();
  SignalFd(const SignalFd&) = delete;
  SignalFd& operator=(const SignalFd&) = delete;

  /// The descriptor is readable while a signal waits. It is non-blocking, and closed on exec.
  int fd() const { return fd_; }

  /// Returns the number of the next signal, or nothing if none waits. Never blocks. Several signals
  /// of one kind before a read count as one, so on SIGCHLD reap every child that has ended.
  std::optional<int> read();

 private:
  int fd_ = -1;
};

/// Gives all signals their default actions and unblocks them: a child must not inherit the signals
/// that this process ignores. Call it in the child between fork and exec: async-signal-safe.
void restore_default_signals() noexcept;

/// The phase that the signals so far ask for: the first SIGTERM or SIGINT means drain, the second
/// one means stop now. Other signals change nothing.
class DrainState {
 public:
  enum class Phase { kRunning, kDraining, kForced };

  /// Counts one signal, and returns the phase after it.
  Phase on_signal(int signo);
  Phase phase() const { return phase_; }

 private:
  Phase phase_ = Phase::kRunning;
};

}  // namespace genai::runtime
