// What has changed since the last commit was begun: tasks are noted as they change and written as
// they are when the batch is taken, so that many changes of a task between two commits cost one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "dispatcher/store/record.h"
#include "dispatcher/task.h"
#include "protocol/time.h"

namespace genai::dispatcher {

inline constexpr Duration kLazyTime = from_ms(500);

/// Not thread-safe. Pure.
class Journal {
 public:
  /// One that is not enabled notes nothing.
  explicit Journal(bool enabled) : enabled_(enabled) {}

  /// The task is new or has changed: a commit is due.
  void note(Task& task);
  /// It has changed in a way that nobody waits for and that a crash may undo (its result would be
  /// delivered once more): it goes with the next commit that is due, or after kLazyTime.
  void note_lazily(Task& task, Duration now);
  void note(store::NodeRow node) {
    if (!enabled_) return;
    nodes_.push_back(std::move(node));
    due_ = true;
  }
  /// The task is in the store already.
  void restored(Task& task) { set_stored(task); }
  /// The task is about to be erased, on a client's word. Else lazily, as above.
  void erase(Task& task);
  void erase_lazily(Task& task, Duration now);

  /// Whether a commit should begin.
  bool is_due(Duration now) const { return due_ || lazy_at_ <= now; }
  /// When lazy changes become due.
  Duration next_deadline() const { return lazy_at_; }
  bool empty() const { return dirty_.empty() && erased_.empty() && nodes_.empty(); }
  /// Everything since the last call.
  store::Batch take(const Now& now);

 private:
  void mark(Task& task);
  void drop(Task& task);
  void be_lazy(Duration now);
  static void set_stored(Task& task);
  static store::TaskRecord changing_part(const Task& task, const Now& now);

  bool enabled_;
  bool due_ = false;
  Duration lazy_at_ = kNever;
  std::vector<Task*> dirty_;  // null: erased since
  std::vector<std::uint64_t> erased_;
  std::vector<store::NodeRow> nodes_;
};

}  // namespace genai::dispatcher
