// A task as placement sees it, from its acceptance until it has ended: what the
// client asked for, where it stands in the queue, and what it is expected to
// take where it was placed.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "dispatcher/tasks/handle.h"
#include "dispatcher/tasks/record.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

struct TaskClass;
struct Tenant;

struct QueueEntry {
  const TaskRecord* record = nullptr;
  TaskHandle handle = 0;
  int priority = 0;         // as it is now
  Duration accepted_at{0};  // mono

  TaskClass* group = nullptr;  // null: it has ended
  Tenant* tenant = nullptr;
  Duration not_before{0};  // mono

  // Of the present attempt.
  double expected_s = 0;  // when it was given
  bool expectation_known = false;
  bool seen_whole = false;  // from its beginning on
  bool asked_back = false;  // before it starts
  Duration begun_at{0};     // among those its node executes; 0: not yet

  // What its client was told, from acceptance; 0: nothing.
  double finish_p50_s = 0;
  double finish_p95_s = 0;
};

/// Memory for entries, used again. Not thread-safe.
class QueueEntries {
 public:
  QueueEntry& add() {
    if (free_.empty()) return entries_.emplace_back();
    QueueEntry& entry = *free_.back();
    free_.pop_back();
    return entry = {};
  }
  void release(QueueEntry& entry) { free_.push_back(&entry); }

 private:
  std::deque<QueueEntry> entries_;
  std::vector<QueueEntry*> free_;
};

}  // namespace genai::dispatcher
