// A task and everything that is known of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher/tasks/record.h"
#include "protocol/base/time.h"
#include "protocol/wire/client.h"

namespace genai::dispatcher {

struct Card;
struct TaskClass;
struct Tenant;

struct Watcher {
  std::string peer;
  msg::WatchLevel level;
};

/// What is stored of it, and what only this process knows.
struct Task : TaskRecord {
  Task() = default;
  explicit Task(TaskRecord record) : TaskRecord(std::move(record)) {}

  Card* card = nullptr;  // of the table that it is in

  Duration accepted_at{0};           // mono
  Duration expires_at = kNever;      // mono: its ttl or its deadline, whichever comes first
  Duration deadline = kNever;        // mono
  Duration acknowledged_at{0};       // of the present attempt
  Duration phase_ends = kNever;      // Scheduled: the ack is due; Sent: the time limit
  Duration noted_deadline = kNever;  // by the table
  double fraction = 0;               // of the present attempt
  std::string progress_text;

  // Terminal.
  std::uint32_t ended_by = 0;      // the attempt; 0: none, or the task is of an earlier process
  bool is_told_whole = false;      // its end is of an earlier process: `info` is what is told of it
  std::size_t archived_bytes = 0;  // as the archive counted it
  Duration ended_at{0};
  Duration fetched_at{
      0};  // since when, or since this process took it up: its history is kept so long

  static constexpr std::size_t kNotSettled = SIZE_MAX;
  std::size_t settled_slot = kNotSettled;  // where the table noted that it becomes a past task

  /// Unscheduled, but it was assigned when the dispatcher stopped: its node may still report it.
  bool recovering = false;

  /// What the journal knows of the store.
  struct Stored {
    static constexpr std::size_t kClean = SIZE_MAX;
    bool exists = false;
    bool payload = false, result = false;  // are in it
    std::size_t log_entries = 0;           // of a terminal task; more since: it was annotated
    std::size_t dirty_slot = kClean;       // where the journal noted the task
  } stored;

  // Placement, while it is not terminal.
  TaskClass* group = nullptr;
  Tenant* tenant = nullptr;
  Duration not_before{0};  // mono
  double expected_s = 0;   // of the present attempt, when it was given
  bool expectation_known = false;
  Duration begun_at{0};     // of the present attempt: among those its node executes; 0: not yet
  bool seen_whole = false;  // the present attempt, from its beginning on
  bool asked_back = false;  // the present attempt, before it starts
  std::uint64_t crashes_before = 0;  // nodes that had been lost when it was accepted
  double finish_p50_s = 0;           // what its client was told, from acceptance; 0: nothing
  double finish_p95_s = 0;

  bool acknowledged = false;  // by a client; fetched once no other waits for it
  std::vector<Watcher> watchers;

  /// What it counts for in the queue: nodes can make a task's log grow, and so its client pays for
  /// what is beyond that of a usual life.
  std::size_t queued_bytes() const {
    constexpr std::size_t kUsualLogBytes = 2048;
    return content_bytes() + std::max(log.bytes(), kUsualLogBytes) - kUsualLogBytes;
  }
};

}  // namespace genai::dispatcher
