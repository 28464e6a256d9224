// When one client submits its tasks, and how long each step of each took.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/base/time.h"

namespace genai::bench {

/// Tasks have numbers, from 0 in the order of their SUBMITs. Pure; not thread-safe.
class Pacer {
 public:
  /// `batch`: tasks in a SUBMIT, at most. Both at least 1.
  Pacer(std::size_t batch, std::uint64_t tasks) : batch_(batch), tasks_(tasks) {}
  virtual ~Pacer() = default;

  /// How many the next SUBMIT should carry at `now`; 0: none yet, or none any more.
  virtual std::size_t room(Duration now) const = 0;
  /// When room() will be above 0 even without a delivery; kNever when it will not.
  virtual Duration next_due() const = 0;
  /// The time for the row is over: those open go on.
  virtual void close() = 0;

  /// Opens `count` tasks, which must not be above room(); the number of the first.
  std::size_t submit(std::size_t count, Duration now);
  /// The time since the task began, or nothing when this is no news: the task is unknown, or a
  /// message that was sent again said the same before.
  std::optional<Duration> accepted(std::size_t number, Duration now);
  std::optional<Duration> delivered(std::size_t number, Duration now);

  std::size_t open() const { return open_; }
  std::size_t submitted() const { return trips_.size(); }
  /// All that were submitted are delivered and no more will be.
  bool is_done() const { return open_ == 0 && (closed_ || trips_.size() >= tasks_); }

 protected:
  /// What the times of task `number` count from when it is submitted at `now`.
  virtual Duration begin_of(std::size_t number, Duration now) const = 0;
  std::uint64_t delivered_tasks() const { return trips_.size() - open_; }

  const std::size_t batch_;
  const std::uint64_t tasks_;
  bool closed_ = false;

 private:
  struct Trip {
    Duration begin;
    bool accepted = false;
    bool delivered = false;
  };
  std::vector<Trip> trips_;  // by number
  std::size_t open_ = 0;
};

/// The number in a task id "<prefix>-<number>", or nothing when it is no such id.
std::optional<std::size_t> number_of(std::string_view task_id, std::string_view prefix);

}  // namespace genai::bench
