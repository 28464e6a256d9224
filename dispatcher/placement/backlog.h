// Unscheduled tasks, kept centrally. Tasks with equal requirements share a class, so one look at a
// class says whether any of its tasks can be placed now, however long the queue is.
#pragma once

#include <absl/container/btree_map.h>

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "dispatcher/placement/measures.h"
#include "dispatcher/placement/policy.h"
#include "dispatcher/placement/queue_entry.h"
#include "dispatcher/placement/ranking.h"
#include "dispatcher/placement/tenants.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// What one tenant has queued in one class, in the order of service. Never empty.
///
/// Order: by the time of acceptance less `priority` times the priority step: a task that is one
/// step more urgent goes before what came up to one step's time earlier, and behind what waits
/// longer (linear aging; nobody starves). A requeued task was accepted before those that never left
/// the backlog, so it is at their head without any special case.
struct TenantQueue {
  using Key = std::pair<std::int64_t, std::uint64_t>;  // ms, then sequence
  Tenant* tenant = nullptr;
  TaskClass* group = nullptr;
  absl::btree_map<Key, QueueEntry*> tasks;

  Key head() const { return tasks.begin()->first; }
};

/// All that placement depends on: tasks of one class go wherever any of them goes.
struct TaskClass {
  struct Key {
    Requirements needs;
    double max_cost, time_to_money_ratio;
    SizeClass size;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct ByTurn {
    bool operator()(const TenantQueue* a, const TenantQueue* b) const {
      return a->tenant->turn < b->tenant->turn;
    }
  };

  explicit TaskClass(Key k, ModelId m) : key(std::move(k)), model(m), ranking(*this) {}

  const Key key;
  const ModelId model;
  Ranking ranking;
  std::map<std::string, TenantQueue> queues;  // by tenant
  std::set<TenantQueue*, ByTurn> order;       // of those that may run
  std::size_t queued = 0;
  std::size_t members = 0;       // tasks that are not terminal
  std::size_t active_index = 0;  // in Backlog::active()
  std::uint64_t blocked_at = 0;  // version of the fleet that had no place for it; 0: not known
  bool is_idle = false;          // has no members
  std::list<TaskClass*>::iterator idle;
  std::string obstacles;        // why nothing fits
  Duration obstacles_until{0};  // looked at again from then on
};

/// Not thread-safe. Pure. Adding and removing is O(log n) in the queued tasks of the class and
/// tenant, and linear in the classes in which the tenant has tasks.
class Backlog {
 public:
  Backlog(const PlacementPolicy& policy, Measures& measures, Tenants& tenants)
      : policy_(policy), measures_(measures), tenants_(tenants) {}

  /// Classes are limited, the more the larger the fleet: each is an index of it. Whether a task of
  /// that kind can be taken.
  bool has_class_for(const TaskSpec& spec, std::size_t providers) const;
  /// Whether a task of that kind would need a class that is not there.
  bool is_new_kind(const TaskSpec& spec) const { return find(spec) == nullptr; }
  Tenant& tenant_of(const TaskSpec& spec) { return tenants_.of(spec.tenant); }
  /// Makes the entry that of a task, and enters the class and tenant of the
  /// task; it stays a member of both until forget().
  void enroll(QueueEntry& task, const TaskRecord& record, const TaskSpec& spec,
              Duration accepted_at, const Now& now);
  void forget(QueueEntry& task);

  void add(QueueEntry& task, Duration now);
  void remove(QueueEntry& task);  // must be in it
  void set_priority(QueueEntry& task, int priority);

  /// Moves those whose time has come into their queues.
  void release_due(Duration now);
  Duration next_deadline() const {
    return delayed_.empty() ? kNever : delayed_.begin()->first.first;
  }

  /// The task was placed, and its tenant is charged what it is expected to
  /// take.
  void placed(QueueEntry& task);
  /// It has left its place after it was executed for so long.
  void unplaced(QueueEntry& task, double executed_s);

  /// Of those that wait for a provider (not those whose time has yet to come).
  std::size_t ready() const { return ready_; }
  std::size_t size() const { return ready_ + delayed_.size(); }
  bool empty() const { return size() == 0; }
  std::size_t queued_of(ModelId model) const;
  /// About how many queued tasks will be placed before this one. `share`: how
  /// many of those of other classes compete with it.
  double ahead_of(const QueueEntry& task, double share) const;

  /// Classes that have queued tasks, in no order.
  const std::vector<TaskClass*>& active() const { return active_; }

  void check_invariants() const;

 private:
  using Classes = std::map<TaskClass::Key, TaskClass>;

  static TaskClass::Key key_of(const TaskSpec& spec);
  TaskClass* find(const TaskSpec& spec) const;
  TenantQueue::Key place_of(const QueueEntry& task) const;
  void enter(QueueEntry& task);
  void leave(QueueEntry& task);
  void set_active(TaskClass& group, bool active);
  /// Runs `change`, which may change the tenant's turn or whether it may run.
  template <class Change>
  void reorder(Tenant& tenant, Change change);

  const PlacementPolicy& policy_;
  Measures& measures_;
  Tenants& tenants_;
  Classes classes_;
  // The class that was asked for last. Most tasks are of the same kind as the one before, and then
  // no key is made of their specs.
  mutable TaskClass* asked_for_ = nullptr;
  std::list<TaskClass*> idle_;  // without members, the longest first
  std::vector<TaskClass*> active_;
  std::map<std::pair<Duration, std::uint64_t>, QueueEntry*> delayed_;  // not_before, then sequence
  std::unordered_map<ModelId, std::size_t> queued_of_;
  std::size_t ready_ = 0;
};

}  // namespace genai::dispatcher
