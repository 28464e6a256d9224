// Which task goes where next.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dispatcher/placement/backlog.h"
#include "dispatcher/placement/calibration.h"
#include "dispatcher/placement/providers.h"
#include "protocol/wire/client.h"

namespace genai::dispatcher {

/// A task and the provider that should get it.
struct Pick {
  QueueEntry* task;
  Provider* provider;
  std::string reason;
};

/// A provider as it looks to one task.
struct Candidate {
  const Provider* provider;
  Offer offer;
  std::string obstacle;  // why it is not taken now; empty: it could be
};

/// Not thread-safe. Pure.
///
/// Whose turn it is comes first (Tenants), then the order of the tenant's queue (TenantQueue), then
/// the provider where the task is expected to be done soonest, or cheapest, as the task says. Each
/// task takes the earliest completion it can get (list scheduling; Topcuoglu, Hariri and Wu, HEFT,
/// 2002), also that of a provider that is busy now: then it waits. While many wait, those that come
/// after it may find a slower provider the better one.
///
/// Cost: a decision is O(log c) in the classes that have queued tasks, O(log t) in their tasks and
/// O(log n) in providers for each change of the fleet since the class was last looked at. A task
/// with failed attempts costs O(f log n) more, f being the nodes it failed on.
class Scheduler {
 public:
  Scheduler(Measures& measures, Backlog& backlog, Providers& fleet)
      : measures_(measures), backlog_(backlog), fleet_(fleet) {}

  /// Begins a pass: call next() until it has nothing more, and carry out each placement before the
  /// next call.
  void start();
  std::optional<Pick> next(const Now& now);

  /// A task that has not started, at a provider where it waits, and that another could start
  /// sooner: to be asked back. Marks it; each is asked for once.
  struct Recall {
    QueueEntry* task;
    Provider* provider;
  };
  std::vector<Recall> recalls(const Now& now);

  /// When a task is expected to start and to finish, as things are now; all 0
  /// where nothing is known.
  msg::Estimate estimate(const QueueEntry& task, const Now& now);
  /// The same, to be told to its client; the first one is remembered for
  /// observe().
  msg::Estimate promise(QueueEntry& task, const Now& now);
  /// It completed: whether the estimate held.
  void observe(const QueueEntry& task, const Now& now);
  const Calibration& calibration() const { return calibration_; }

  /// Whether a provider that serves could take the task and has not failed it
  /// yet.
  bool has_untried(const QueueEntry& task, const Now& now);

  /// Why a queued task waits though a provider that fits is free; empty: none
  /// is.
  std::string reason_to_wait(const QueueEntry& task, const Now& now);
  /// Why no provider that is there fits the task; empty if one does.
  std::string misfits(const QueueEntry& task, const Now& now);
  /// The providers that fit, the best first, at most `count`.
  std::vector<Candidate> candidates(const QueueEntry& task, std::size_t count, const Now& now);

 private:
  struct Claim {  // of a class, to be next
    Turn turn;
    TenantQueue::Key head;
    TaskClass* group;
    bool operator>(const Claim& other) const {
      return std::tie(turn, head) > std::tie(other.turn, other.head);
    }
  };
  /// Why a provider with room is not taken.
  enum class Wait : std::uint8_t { kNone, kSooner, kCheaper, kSettled, kHasty, kFailed };
  struct Choice {
    const Ranking::Standing* standing = nullptr;  // null: wait
    bool until_change = false;  // the wait can only end with a change of the fleet
    double others = 0;  // so many of its class are done sooner by waiting for better providers
    Wait wait = Wait::kNone;
    const Ranking::Standing *rather_than = nullptr, *waits_for = nullptr;  // if `wait` names any
  };
  struct Elsewhere {
    double tasks = 0;  // of the class, that are done there sooner
    const Ranking::Standing* first = nullptr;
  };

  /// What lies ahead of a task, before calibration. Seconds.
  struct Outlook {
    double delay = 0;              // from now until it may start
    double start = 0, finish = 0;  // after that
  };

  std::optional<Outlook> outlook_in_queue(const QueueEntry& task, const Now& now);
  std::optional<Outlook> outlook_at_provider(const QueueEntry& task, const Now& now) const;
  std::optional<Claim> claim_of(TaskClass& group) const;
  void push(TaskClass& group);
  std::optional<Pick> place(TaskClass& group, const Now& now);
  Choice choose(TaskClass& group, const QueueEntry& task, const Now& now);
  Choice second_choice(TaskClass& group, const QueueEntry& task,
                       const Ranking::Standing* avoided) const;
  Elsewhere sooner_elsewhere(const TaskClass& group, const QueueEntry& task,
                             const Ranking::Standing& best, double finish, const Now& now) const;
  QueueEntry* least_tried(TaskClass& group, const TenantQueue& queue, QueueEntry* task,
                          const Ranking::Standing& at, const Now& now);
  std::size_t serving_where_failed(const Ranking& ranking, const QueueEntry& task) const;
  std::string words_of(const Choice& choice, const TaskClass& group, const Now& now) const;
  static std::string obstacle_of(const Choice& choice);
  bool is_settled(const Ranking::Standing& standing, const Now& now) const;
  std::string reason(const TaskClass& group, const Ranking::Standing& standing,
                     const Now& now) const;
  bool may_prefetch() const { return backlog_.ready() > fleet_.slots_online(); }

  Measures& measures_;
  Backlog& backlog_;
  Providers& fleet_;
  Calibration calibration_;
  std::vector<Claim> claims_;  // a heap, the next one on top
  TaskClass* placed_ = nullptr;
};

}  // namespace genai::dispatcher
