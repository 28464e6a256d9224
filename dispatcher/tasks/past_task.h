// A task that is over, as bytes: its end was told to its client, or dropped, and what is left is
// its history and the knowledge of its id.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "dispatcher/tasks/task.h"

namespace genai::dispatcher {

/// A third of the memory of a Task, in one piece: there are hundreds of thousands of them, and
/// hardly any is ever asked for. Of its spec it keeps what is told of it: no node gets it any more,
/// and whoever names it must not make a large spec be decoded. Not thread-safe.
class PastTask {
 public:
  PastTask() = default;  // none
  /// `task` must be terminal and without data, watchers and changes to be written.
  explicit PastTask(const Task& task);

  bool empty() const { return bytes_.empty(); }
  TaskStatus status() const { return head().status; }
  std::uint64_t sequence() const { return head().sequence; }
  Duration fetched_at() const { return head().fetched_at; }
  bool is_stored() const { return head().stored; }
  std::string_view tenant() const;

  /// The task as it was, but for the rest of its spec.
  std::unique_ptr<Task> revive(const TaskId& id) const;

 private:
  struct Head {
    Digest digest;
    std::uint64_t sequence, created_ms;
    Duration accepted_at, acknowledged_at, ended_at, fetched_at;
    std::uint64_t log_entries;  // that are stored
    std::uint32_t faults, losses, drains, ended_by, current;
    std::uint32_t info_bytes, issued;
    std::uint8_t tenant_bytes, label_bytes, model_bytes, priority;
    std::int16_t priority_override;
    ErrorCode code;
    TaskStatus status;
    bool acknowledged, stored;
  };
  Head head() const;

  std::string bytes_;  // Head, tenant, label, model, info, attempts, log
};

}  // namespace genai::dispatcher
