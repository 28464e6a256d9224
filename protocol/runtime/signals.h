// Signals as something to poll, and what they ask of a daemon.
#pragma once

#include <optional>

namespace genai::runtime {

enum class ChildSignals { kIgnore, kWatch };

/// Blocks SIGTERM, SIGINT, SIGHUP (and SIGCHLD when watched) and delivers them on a descriptor;
/// sets SIGPIPE to ignored. Create it before any ZeroMQ context or thread exists: threads inherit
/// the mask, and a signal that reaches another thread ends the process. The signals stay blocked
/// when it is destroyed, so that one that comes during the shutdown does not cut it short.
/// Programs that are started later inherit the mask too: see restore_default_signals.
class SignalFd {
 public:
  /// Throws std::system_error when the descriptor cannot be made.
  explicit SignalFd(ChildSignals children = ChildSignals::kIgnore);
  ~SignalFd();
  SignalFd(const SignalFd&) = delete;
  SignalFd& operator=(const SignalFd&) = delete;

  /// Readable while a signal waits. Non-blocking, closed on exec.
  int fd() const { return fd_; }

  /// The next signal's number, or nothing when none waits. Never blocks. Signals of one kind that
  /// come before a read are one, so on SIGCHLD reap every child that has ended.
  std::optional<int> read();

 private:
  int fd_ = -1;
};

/// Gives all signals their default actions and unblocks them: a program that is started must not
/// inherit what this one ignores. For a child between fork and exec: async-signal-safe.
void restore_default_signals() noexcept;

/// What the signals so far ask for: the first SIGTERM or SIGINT to drain, the second to stop now.
/// Other signals change nothing.
class DrainState {
 public:
  enum class Phase { kRunning, kDraining, kForced };

  /// Takes one signal and returns the phase after it.
  Phase on_signal(int signo);
  Phase phase() const { return phase_; }

 private:
  Phase phase_ = Phase::kRunning;
};

}  // namespace genai::runtime
