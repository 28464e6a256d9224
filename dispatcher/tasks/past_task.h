// A task that is over, as bytes: its end was told to its client, or dropped, and what is left is
// its history and the knowledge of its id.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "dispatcher/tasks/task.h"

namespace genai::dispatcher {

/// A third of the memory of a Task, in one piece: there are hundreds of thousands of them, and
/// hardly any is ever asked for. Of its spec it keeps what is told of it: no node gets it any more,
/// and whoever names it must not make a large spec be decoded. Not thread-safe.
class PastTask {
 public:
  PastTask() = default;  // none
  /// `task` must be terminal and without data and changes to be written.
  explicit PastTask(const Task& task);

  bool empty() const { return bytes_ == nullptr; }
  std::string_view id() const { return {bytes_.get() + sizeof(Head), head().id_bytes}; }
  TaskStatus status() const { return head().status; }
  std::uint64_t sequence() const { return head().sequence; }
  Duration fetched_at() const { return head().fetched_at; }
  std::string_view tenant() const { return {id().data() + id().size(), head().tenant_bytes}; }

  /// The task as it was, but for the rest of its spec.
  std::unique_ptr<Task> revive() const;

 private:
  /// What is asked of one without unpacking it.
  struct Head {
    std::uint64_t sequence;
    Duration fetched_at;
    std::uint32_t bytes;  // in all
    TaskStatus status;
    std::uint8_t id_bytes, tenant_bytes;
  };
  Head head() const;

  std::unique_ptr<char[]> bytes_;  // Head, id, tenant, then the fields of the task
};

}  // namespace genai::dispatcher
