// All tasks, and the only place that changes a task's status: illegal changes cannot happen.
#pragma once

#include <absl/container/btree_set.h>
#include <tsl/robin_set.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "dispatcher/tasks/changes.h"
#include "dispatcher/tasks/edges.h"
#include "dispatcher/tasks/handle.h"
#include "dispatcher/tasks/id_hash.h"
#include "dispatcher/tasks/past_task.h"
#include "dispatcher/tasks/spare_tasks.h"
#include "dispatcher/tasks/task.h"

namespace genai::dispatcher {

/// What is known by one id: a task, or one that is past.
class Known {
 public:
  TaskHandle handle() const { return handle_; }
  /// Null of a past task.
  const Task* present() const { return task_.get(); }
  const PastTask& past() const { return past_; }

  std::string_view id() const { return task_ ? task_->id.view() : past_.id(); }
  TaskStatus status() const { return task_ ? task_->status : past_.status(); }
  std::string_view tenant() const { return task_ ? task_->spec.tenant() : past_.tenant(); }
  std::uint64_t sequence() const { return task_ ? task_->sequence : past_.sequence(); }

 private:
  friend class TaskTable;
  std::unique_ptr<Task> task_;
  PastTask past_;
  Duration noted_deadline_ = kNever;
  TaskHandle handle_ = 0;
  static constexpr std::uint32_t kNotSettled = UINT32_MAX;
  std::uint32_t settled_slot_ = kNotSettled;  // where it is noted that it becomes a past task
};

/// A task to be read, or none. A copy of one that is past; of any other it is
/// valid as long as a reference to it.
class TaskView {
 public:
  TaskView() = default;
  explicit TaskView(const Known& known);

  explicit operator bool() const { return task_ != nullptr; }
  const Task& operator*() const { return *task_; }
  const Task* operator->() const { return task_; }
  const Task* get() const { return task_; }

 private:
  std::unique_ptr<Task> copy_;
  const Task* task_ = nullptr;
};

/// Notes what it changes. Not thread-safe. References to tasks stay valid until
/// erase(), or compact() after settle().
class TaskTable {
 public:
  explicit TaskTable(Changes& changes)
      : changes_(changes), by_id_(0, Hash{this}, Equal{this}), order_(ById{this}) {}
  TaskTable(const TaskTable&) = delete;

  /// A past task is revived, until the next compact().
  Task* find(const TaskId& id);
  /// Null also of a past task: for those to whom it makes no difference.
  Task* find_present(const TaskId& id);
  bool knows(const TaskId& id) const { return by_id_.contains(id.view()); }
  /// For those who only read: no past task is revived for them.
  TaskView peek(const TaskId& id) const;
  /// By the handle of a task that is known. Null: it is past.
  Task* present(TaskHandle task) { return rows_[task].task_.get(); }
  const Known& at(TaskHandle task) const { return *rows_.find(task); }

  /// Returns a task to be filled in for insert().
  std::unique_ptr<Task> make() { return spares_.take(); }
  /// A new Unscheduled task; its id must not be known yet. Deadlines must be set before.
  Task& insert(std::unique_ptr<Task> task, const Now& now, std::string_view reason = "accepted");
  /// A task of an earlier process, in whatever status; its id must not be known yet. One that was
  /// assigned takes the edge "recover": it is Unscheduled, and its node may still report it.
  Task& restore(TaskRecord record, const Now& now);
  /// Nobody reported it: it is like any other Unscheduled task.
  void give_up(Task& task, const Now& now);
  /// `at_once`: with the next commit. Else it is written later, and a crash may bring it back.
  void erase(TaskHandle task, bool at_once, Duration now);

  /// The task has been fetched: it is past from the next compact() on. Failed
  /// tasks stay: they can be replayed.
  void settle(Task& task);
  /// Somebody waits for it: not so.
  void unsettle(Task& task);
  /// No change of the tasks that are settled may be noted.
  void compact();

  /// Takes a step of the task's life (edges.h) and logs it. An illegal step is our own bug: it
  /// aborts the process and tells the task's whole log.
  void move(Task& task, Step step, std::string_view reason, const Now& now, const NodeId& node = {},
            std::uint32_t attempt = 0);

  /// Logs something that leaves the status as it is.
  void annotate(Task& task, std::string_view reason, const Now& now, const NodeId& node = {},
                std::uint32_t attempt = 0);

  /// Sets the time at which the present phase ends.
  void set_phase_end(Task& task, Duration at);
  /// The same of a phase that lasts as long as that of any other call: `at` is never before that of
  /// an earlier call. It costs less.
  void set_usual_phase_end(Task& task, Duration at);

  /// No later than the earliest expiry or phase end of any task that is not terminal; then call
  /// next_due().
  Duration next_deadline() const;
  /// A task whose expiry or phase end has come, or null.
  Task* next_due(Duration now);

  std::size_t count(TaskStatus status) const { return counts_[static_cast<std::size_t>(status)]; }
  std::size_t size() const { return order_.size(); }
  std::size_t live() const;
  std::size_t queued_bytes() const { return queued_bytes_; }

 private:
  struct ById {
    using is_transparent = void;
    const TaskTable* table;
    bool operator()(auto a, auto b) const { return table->id_of(a) < table->id_of(b); }
  };
  using Order = absl::btree_set<TaskHandle, ById>;

 public:
  /// What is known, in the order of the ids.
  class Iterator {
   public:
    const Known& operator*() const { return table_->at(*at_); }
    const Known* operator->() const { return &**this; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    friend class TaskTable;
    Iterator(const TaskTable* table, Order::const_iterator at) : table_(table), at_(at) {}
    const TaskTable* table_;
    Order::const_iterator at_;
  };
  Iterator begin() const { return {this, order_.begin()}; }
  Iterator end() const { return {this, order_.end()}; }
  /// From the first id after `after` on.
  Iterator after(const TaskId& after) const { return {this, order_.upper_bound(after.view())}; }

  void check_invariants() const;

 private:
  static Duration deadline(const Task& task);
  void note_deadline(Task& task);
  void forget_deadline(Task& task);
  void note_phases(Duration now);

  TaskHandle handle_of_new();
  Task& enter(std::unique_ptr<Task> task);
  void recover(Task& task, const Now& now);
  Task& revive(TaskHandle task);
  void remove(TaskHandle task);
  void check_present(const Known& known) const;

  std::string_view id_of(TaskHandle task) const { return at(task).id(); }
  static std::string_view id_of(std::string_view id) { return id; }
  struct Hash {
    using is_transparent = void;
    const TaskTable* table;
    std::size_t operator()(auto one) const { return id_hash(table->id_of(one)); }
  };
  struct Equal {
    using is_transparent = void;
    const TaskTable* table;
    bool operator()(auto a, auto b) const { return table->id_of(a) == table->id_of(b); }
  };

  Changes& changes_;
  SpareTasks spares_;
  ByHandle<Known> rows_;
  TaskHandle given_ = 0;          // all below were given
  std::vector<TaskHandle> free_;  // of those
  // With the hashes, so that growing it touches no task. Beside the order:
  // lookups are many.
  tsl::robin_set<TaskHandle, Hash, Equal, std::allocator<TaskHandle>, true> by_id_;
  Order order_;
  static constexpr TaskHandle kGone = UINT32_MAX;
  std::vector<TaskHandle> settled_;
  // A deadline that moves away is noted again only when its old time has come:
  // most tasks end before.
  absl::btree_set<std::pair<Duration, TaskHandle>> deadlines_;
  // Ends of usual phases, in order, and not all up to date: most phases are over before. A task is
  // looked at when the time here has come; then its deadline is noted as any other.
  std::deque<std::pair<Duration, TaskHandle>> usual_phases_;
  std::array<std::size_t, 6> counts_{};
  std::size_t queued_bytes_ = 0;  // contents of tasks that are not terminal
};

}  // namespace genai::dispatcher
