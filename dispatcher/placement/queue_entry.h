// A task as placement sees it, from its acceptance until it has ended: what the
// client asked for, where it stands in the queue, and what it is expected to
// take where it was placed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
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
  bool seen_whole = false;          // from its beginning on
  bool asked_back = false;          // before it starts
  std::uint32_t content_bytes = 0;  // of its spec and payload, as long as it counts for its tenant
  Duration begun_at{0};             // among those its node executes; 0: not yet

  // What its client was told, from acceptance; 0: nothing.
  float finish_p50_s = 0;
  float finish_p95_s = 0;
};

/// The entry of each task that has not ended. Not thread-safe.
class QueueEntries {
 public:
  /// Of a task that has none.
  QueueEntry& add(TaskHandle task) {
    QueueEntry& entry = fresh();
    entry.handle = task;
    by_task_[task] = &entry;
    return entry;
  }
  /// Null: none.
  QueueEntry* find(TaskHandle task) const {
    QueueEntry* const* const entry = by_task_.find(task);
    return entry ? *entry : nullptr;
  }
  void release(QueueEntry& entry) {
    by_task_[entry.handle] = nullptr;
    free_.push_back(&entry);
  }

 private:
  static constexpr std::size_t kPage = 256;
  using Page = std::array<QueueEntry, kPage>;
  QueueEntry& fresh() {
    if (free_.empty()) {
      if (used_ == pages_.size() * kPage) pages_.push_back(std::make_unique<Page>());
      return (*pages_.back())[used_++ % kPage];
    }
    QueueEntry& entry = *free_.back();
    free_.pop_back();
    return entry = {};
  }

  ByHandle<QueueEntry*> by_task_;
  // Not a deque: a fifth of its blocks would be left empty.
  std::vector<std::unique_ptr<Page>> pages_;
  std::size_t used_ = 0;  // of all entries of those
  std::vector<QueueEntry*> free_;
};

}  // namespace genai::dispatcher
