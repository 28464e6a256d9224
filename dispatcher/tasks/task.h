// A task and everything that is known of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "dispatcher/tasks/handle.h"
#include "dispatcher/tasks/record.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// What is stored of it, and what only this process knows of its life. What
/// others know of it stands in tables of theirs, by its handle.
struct Task : TaskRecord {
  Task() = default;
  explicit Task(TaskRecord record) : TaskRecord(std::move(record)) {}

  TaskHandle handle = 0;             // given by the table
  std::uint32_t crashes_before = 0;  // nodes that had been lost when it was accepted
  // Terminal.
  std::uint32_t ended_by = 0;  // the attempt; 0: none, or the task is of an earlier process
  bool is_told_whole = false;  // its end is of an earlier process: `info` is what is told of it

  /// Unscheduled, but it was assigned when the dispatcher stopped: its node may
  /// still report it.
  bool recovering = false;
  /// The present attempt was asked back: if its node has not begun it, it ends.
  bool asked_back = false;
  /// Its deadline comes before the end of its ttl: it is `expires_at`.
  bool has_near_deadline = false;

  Duration accepted_at{0};       // mono
  Duration expires_at = kNever;  // mono: its ttl or its deadline, whichever comes first
  Duration acknowledged_at{0};   // of the present attempt
  Duration phase_ends = kNever;  // Scheduled: the ack is due; Sent: the time limit

  // Terminal.
  Duration ended_at{0};
  Duration fetched_at{
      0};  // since when, or since this process took it up: its history is kept so long

  /// What it counts for in the queue: nodes can make a task's log grow, and so its client pays for
  /// what is beyond that of a usual life.
  std::size_t queued_bytes() const {
    constexpr std::size_t kUsualLogBytes = 2048;
    return content_bytes() + std::max(log.bytes(), kUsualLogBytes) - kUsualLogBytes;
  }
};

}  // namespace genai::dispatcher
