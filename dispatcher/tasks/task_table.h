// All tasks, and the only place that changes a task's status: illegal changes cannot happen.
#pragma once

#include <absl/container/btree_map.h>
#include <tsl/robin_set.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dispatcher/store/journal.h"
#include "dispatcher/tasks/past_task.h"
#include "dispatcher/tasks/task.h"

namespace genai::dispatcher {

/// What the table knows by an id: a task, or one that is past; never both.
struct Card {
  TaskId id;
  std::unique_ptr<Task> task;
  PastTask past;

  TaskStatus status() const { return task ? task->status : past.status(); }
  std::string_view tenant() const { return task ? task->spec.tenant : past.tenant(); }
  /// Calls `f` with the task; a past one lives only that long.
  template <class F>
  void look(F f) const {
    if (task)
      f(std::as_const(*task));
    else
      f(std::as_const(*past.revive(id)));
  }
};

/// Notes in the journal what it changes. Not thread-safe. References to tasks stay valid until
/// erase(), or compact() after settle().
class TaskTable {
 public:
  explicit TaskTable(Journal& journal) : journal_(journal) {}

  /// A past task is revived, until the next compact().
  Task* find(const TaskId& id);
  const Task* find(const TaskId& id) const;
  bool knows(const TaskId& id) const { return card_of(id) != nullptr; }
  /// Null also of a past task: for those to whom it makes no difference.
  Task* find_present(const TaskId& id);

  /// A new Unscheduled task; its id must not be known yet. Deadlines must be set before.
  Task& insert(std::unique_ptr<Task> task, const Now& now, std::string_view reason = "accepted");
  /// A task of an earlier process, in whatever status; its id must not be known yet. One that was
  /// assigned takes the edge "recover": it is Unscheduled, and its node may still report it.
  Task& restore(TaskRecord record, const Now& now);
  /// Nobody reported it: it is like any other Unscheduled task.
  void give_up(Task& task, const Now& now);
  void erase(Task& task);
  /// As erase(), but a crash may bring it back.
  void expire(Card& card, Duration now);

  /// The task has been fetched: unless somebody watches it by then, it is past from the next
  /// compact() on. Failed tasks stay: they can be replayed.
  void settle(Task& task);
  /// The journal must have nothing to write of the tasks that are settled.
  void compact();

  /// Moves the task along an edge of DESIGN.md's drawing and logs it. An edge that is not there is
  /// our own bug and aborts the process.
  void move(Task& task, TaskStatus to, std::string_view reason, const Now& now,
            const NodeId& node = {}, std::uint32_t attempt = 0);

  /// Logs something that leaves the status as it is.
  void annotate(Task& task, std::string_view reason, const Now& now, const NodeId& node = {},
                std::uint32_t attempt = 0);

  /// Sets the time at which the present phase ends (kNever: none).
  void set_phase_end(Task& task, Duration at);

  /// No later than the earliest expiry or phase end of any task that is not terminal; then call
  /// next_due().
  Duration next_deadline() const;
  /// A task whose expiry or phase end has come, or null.
  Task* next_due(Duration now);

  std::size_t count(TaskStatus status) const { return counts_[static_cast<std::size_t>(status)]; }
  std::size_t size() const { return cards_.size(); }
  std::size_t live() const;
  std::size_t queued_bytes() const { return queued_bytes_; }

  /// In the order of their ids, from the first id after `after` on.
  using Cards = absl::btree_map<std::string_view, std::unique_ptr<Card>>;
  Cards::const_iterator after(const TaskId& after) const {
    return cards_.upper_bound(after.view());
  }
  Cards::const_iterator end() const { return cards_.end(); }
  Cards::const_iterator begin() const { return cards_.begin(); }

  void check_invariants() const;

 private:
  static Duration deadline(const Task& task);
  void note_deadline(Task& task);
  void forget_deadline(Task& task);

  Task& enter(std::unique_ptr<Task> task);
  void recover(Task& task, const Now& now);
  Card* card_of(const TaskId& id) const;
  Task& revive(Card& card);
  void remove(Card& card);

  Journal& journal_;
  Cards cards_;  // the key views the card's own id
  // Beside the order: lookups are many.
  static std::string_view id_of(const Card* card) { return card->id.view(); }
  static std::string_view id_of(std::string_view id) { return id; }
  struct Hash {
    using is_transparent = void;
    template <class T>
    std::size_t operator()(const T& one) const {
      return std::hash<std::string_view>{}(id_of(one));
    }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return id_of(a) == id_of(b);
    }
  };
  // With the hashes, so that growing it touches no task.
  tsl::robin_set<Card*, Hash, Equal, std::allocator<Card*>, true> by_id_;
  std::vector<Task*> settled_;  // null: gone since
  // By time, then sequence. A deadline that moves away is noted again only when its old time has
  // come: most tasks end before.
  absl::btree_map<std::pair<Duration, std::uint64_t>, Task*> deadlines_;
  std::array<std::size_t, 6> counts_{};
  std::size_t queued_bytes_ = 0;  // contents of tasks that are not terminal
};

}  // namespace genai::dispatcher
