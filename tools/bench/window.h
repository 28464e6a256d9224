// Which tasks of one closed-loop client are open, and how long each step took.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/time.h"

namespace genai::bench {

/// At most `size` tasks are submitted and not yet delivered, and at most `tasks` in all. Tasks have
/// numbers, from 0 in the order of their SUBMITs. Pure; not thread-safe.
class Window {
 public:
  /// `batch`: tasks in a SUBMIT, at most. All at least 1.
  Window(std::size_t size, std::size_t batch, std::uint64_t tasks)
      : size_(size), batch_(batch), tasks_(tasks) {}

  /// How many the next SUBMIT should carry; 0 when the window is full or all are submitted.
  std::size_t room() const;
  /// Opens `count` tasks, which must not be above room(); the number of the first.
  std::size_t submit(std::size_t count, Duration now);
  /// No more are submitted; those open go on.
  void close() { closed_ = true; }
  /// The time since the SUBMIT, or nothing when this is no news: the task is unknown, or a message
  /// that was sent again said the same before.
  std::optional<Duration> accepted(std::size_t number, Duration now);
  std::optional<Duration> delivered(std::size_t number, Duration now);

  std::size_t open() const { return open_; }
  std::size_t submitted() const { return trips_.size(); }
  /// All that were submitted are delivered and no more will be.
  bool is_done() const { return open_ == 0 && room() == 0; }

 private:
  struct Trip {
    Duration submitted_at;
    bool accepted = false;
    bool delivered = false;
  };
  const std::size_t size_, batch_;
  const std::uint64_t tasks_;
  std::vector<Trip> trips_;  // by number
  std::size_t open_ = 0;
  bool closed_ = false;
};

/// The number in a task id "<prefix>-<number>", or nothing when it is no such id.
std::optional<std::size_t> number_of(std::string_view task_id, std::string_view prefix);

}  // namespace genai::bench
