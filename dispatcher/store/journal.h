// What has changed since the last commit was begun: tasks are noted as they change and written as
// they are when the batch is taken, so that many changes of a task between two commits cost one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "dispatcher/store/record.h"
#include "dispatcher/tasks/task.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

inline constexpr Duration kLazyTime = from_ms(500);

/// Not thread-safe. Pure.
class Journal {
 public:
  /// One that is not enabled notes nothing.
  explicit Journal(bool enabled) : enabled_(enabled) {}

  /// The task is new or has changed: a commit is due.
  void note(Task& task) { mark(task, kAtOnce); }
  /// It has changed in a way that nobody waits for and that a crash may undo (its result would be
  /// delivered once more): it goes with the next commit that is due, or after kLazyTime.
  void note_lazily(Task& task, Duration now) { mark(task, now + kLazyTime); }
  void note(store::NodeRow node) {
    if (!enabled_) return;
    nodes_.insert_or_assign(node.id, std::move(node));
    due_at_ = kAtOnce;
  }
  /// A payload or result of so many bytes is to be written.
  void count_bytes(std::size_t bytes) { bytes_ += enabled_ ? bytes : 0; }
  /// The task is in the store already.
  void restored(Task& task) { set_stored(task); }
  /// The task is about to be erased, on a client's word. Else lazily, as above.
  void erase(Task& task) { drop(task, kAtOnce); }
  void erase_lazily(Task& task, Duration now) { drop(task, now + kLazyTime); }
  /// One in the store of which nothing is noted, by its sequence.
  void erase_lazily(std::uint64_t sequence, Duration now);

  /// Whether a commit should begin.
  bool is_due(Duration now) const { return due_at_ <= now; }
  /// When lazy changes become due.
  Duration next_deadline() const { return due_at_; }
  bool empty() const { return dirty_.empty() && erased_.empty() && nodes_.empty(); }
  /// Counted since take().
  std::size_t bytes() const { return bytes_; }
  /// Everything since the last call.
  store::Batch take();
  /// Of that, what only frees room, and is of none of the tasks in `stuck`, a batch that does not
  /// fit: it can go first.
  store::Batch take_frees(const store::Batch& stuck);

 private:
  static constexpr Duration kAtOnce{0};

  void mark(Task& task, Duration at);
  void drop(Task& task, Duration at);
  static void set_stored(Task& task);

  bool enabled_;
  Duration due_at_ = kNever;
  std::size_t bytes_ = 0;
  std::vector<Task*> dirty_;  // null: erased since
  std::vector<std::uint64_t> erased_;
  std::map<NodeId, store::NodeRow> nodes_;
};

}  // namespace genai::dispatcher
