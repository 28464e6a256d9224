// A task and everything that is known of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher/tasks/digest.h"
#include "dispatcher/tasks/task_log.h"
#include "protocol/base/time.h"
#include "protocol/wire/messages.h"

namespace genai::dispatcher {

struct Card;
struct TaskClass;
struct Tenant;

/// An attempt that was ever issued. A result is valid only from the session it was issued to.
struct IssuedAttempt {
  std::uint32_t number;
  std::uint64_t epoch;  // of the dispatcher that issued it: this one or an earlier
  SessionId session;
  NodeId node_id;
  bool failed = false;   // ended there without a result: other nodes are preferred from then on
  bool open = true;      // no word yet of its end: its node may still be running it
  bool drained = false;  // counted as a drain, which is nobody's failure; not kept over restarts
};

struct Watcher {
  std::string peer;
  msg::WatchLevel level;
};

struct Task {
  TaskId id;
  Card* card = nullptr;  // of the table that it is in
  TaskSpec spec;
  Blob payload;  // dropped when Completed or Aborted; a Failed task can be replayed
  Digest digest{};

  std::uint64_t sequence = 0;  // order of acceptance: the backlog's order, so a requeued task is
                               // at the head of what came after it
  TaskStatus status = TaskStatus::kUnscheduled;
  std::vector<IssuedAttempt> issued;

  // Why attempts ended, counted apart: each has its own limit.
  std::uint32_t faults = 0;
  std::uint32_t losses = 0;
  std::uint32_t drains = 0;

  Duration accepted_at{0};  // mono
  std::uint64_t created_ms = 0;
  Duration expires_at = kNever;      // mono: its ttl or its deadline, whichever comes first
  Duration deadline = kNever;        // mono
  Duration acknowledged_at{0};       // of the present attempt
  Duration phase_ends = kNever;      // Scheduled: the ack is due; Sent: the time limit
  Duration noted_deadline = kNever;  // by the table
  double fraction = 0;               // of the present attempt
  std::string progress_text;

  // Terminal.
  ErrorCode code = ErrorCode::kOk;
  std::uint32_t ended_by = 0;  // the attempt; 0: none, or the task is of an earlier process
  ValueMap info;               // what its node said; see told_info()
  Blob result;
  std::size_t archived_bytes = 0;  // as the archive counted it
  Duration ended_at{0};
  bool fetched = false;  // a client acknowledged the result, or it was dropped: no data any more
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
  int priority_override = -1;  // -1: as the spec says
  Duration not_before{0};      // mono
  double expected_s = 0;       // of the present attempt, when it was given
  bool expectation_known = false;
  Duration begun_at{0};     // of the present attempt: among those its node executes; 0: not yet
  bool seen_whole = false;  // the present attempt, from its beginning on
  bool asked_back = false;  // the present attempt, before it starts
  std::uint64_t crashes_before = 0;  // nodes that had been lost when it was accepted
  double finish_p50_s = 0;           // what its client was told, from acceptance; 0: nothing
  double finish_p95_s = 0;

  bool acknowledged = false;  // by a client; fetched once no other waits for it
  std::vector<Watcher> watchers;
  TaskLog log;

  /// The attempt it is Scheduled or Sent with: always the last issued, unless an older one was
  /// kept when its node came back.
  std::uint32_t current = 0;

  const IssuedAttempt* attempt(std::uint32_t number) const {
    for (const auto& a : issued)
      if (a.number == number) return &a;
    return nullptr;
  }
  IssuedAttempt* attempt(std::uint32_t number) {
    return const_cast<IssuedAttempt*>(std::as_const(*this).attempt(number));
  }
  /// Of what the client sent.
  std::size_t content_bytes() const { return payload.size() + spec.raw.size(); }
  /// What it counts for in the queue: nodes can make a task's log grow, and so its client pays for
  /// what is beyond that of a usual life.
  std::size_t queued_bytes() const {
    constexpr std::size_t kUsualLogBytes = 2048;
    return content_bytes() + std::max(log.bytes(), kUsualLogBytes) - kUsualLogBytes;
  }
  bool is_assigned() const {
    return status == TaskStatus::kScheduled || status == TaskStatus::kSent;
  }
  int priority() const { return priority_override >= 0 ? priority_override : spec.priority; }
  bool failed_on(const NodeId& node) const {
    for (const auto& a : issued)
      if (a.failed && a.node_id == node) return true;
    return false;
  }
};

}  // namespace genai::dispatcher
