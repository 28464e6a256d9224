// Writes log lines to a descriptor that may block for ever: a pipe that nobody reads, a stopped
// terminal, a file on a network mount that does not answer.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace genai::runtime {

/// How many bytes may wait while the descriptor blocks; further lines are dropped.
inline constexpr std::size_t kMaxWaitingLogBytes = 1u << 20;

/// A thread of its own writes the lines in order, so a caller never waits. The descriptor is not
/// made non-blocking, because other processes share that setting. Thread-safe. A process has only
/// one; it is never destroyed, because its thread may be stuck in a write until the process ends.
class LogWriter {
 public:
  /// Makes the line that says how many were dropped.
  using Notice = std::function<std::string(std::uint64_t dropped)>;

  explicit LogWriter(int fd);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void set_notice(Notice notice);
  /// Writes a whole line, with its end. The first line starts the thread, which receives no
  /// signals. A child between fork and exec does not have that thread, so the line is written at
  /// once.
  void write(std::string_view line);
  /// Waits until all lines are written, but not longer than that. Returns whether they are.
  bool flush(std::chrono::milliseconds limit);
  /// Returns whether all lines are written. Async-signal-safe.
  bool is_idle() const noexcept { return is_idle_; }

 private:
  void start();
  void run();
  std::uint64_t write_lines(std::string_view lines);
  bool write_all(std::string_view text);

  const int fd_;
  std::mutex mutex_;  // not held while writing
  std::condition_variable wake_, idle_;
  std::string waiting_;        // whole lines
  std::uint64_t dropped_ = 0;  // after those
  Notice notice_;
  bool is_started_ = false;
  std::atomic<bool> is_idle_{true};
};

}  // namespace genai::runtime
