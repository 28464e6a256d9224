// Carries log lines to a descriptor that may take nothing for ever: a pipe that nobody reads, a
// terminal that is stopped, a file on a network mount that does not answer.
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

/// As much waits while the descriptor takes nothing; further lines are dropped.
inline constexpr std::size_t kMaxWaitingLogBytes = 1u << 20;

/// A thread of its own writes, in order, so nobody who logs ever waits. The descriptor is not made
/// non-blocking, because other processes share that setting. Thread-safe. There is one for the
/// whole process, and it is never destroyed: its thread may be stuck in a write until the end.
class LogWriter {
 public:
  /// Makes the line that tells how many were dropped.
  using Notice = std::function<std::string(std::uint64_t dropped)>;

  explicit LogWriter(int fd);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void set_notice(Notice notice);
  /// Takes a whole line, its end included. The first one starts the thread, which is unable to
  /// receive signals. In a child between fork and exec, where that thread does not exist, the line
  /// is written at once.
  void write(std::string_view line);
  /// Waits until all has been written, but not longer than that. True when it has.
  bool flush(std::chrono::milliseconds limit);
  /// Whether all has been written. Async-signal-safe.
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
