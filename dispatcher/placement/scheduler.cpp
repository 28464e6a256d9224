#include "dispatcher/placement/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <unordered_set>

#include "dispatcher/placement/fit.h"
#include "dispatcher/placement/limits.h"

namespace genai::dispatcher {
namespace {

using Shelf = Ranking::Shelf;
using Standing = Ranking::Standing;

// A busy provider is waited for only if it is done sooner by so much; below the second figure it is
// the network that is measured.
constexpr double kWorthWaiting = 0.05;
constexpr double kWorthWaitingSeconds = 0.05;
// A provider that was given another model serves that one for so many times what it took to load,
// while there is demand: two models cannot make it load all the time.
constexpr double kSettledLoads = 3;
// A task is asked back only if it would be done sooner by so much.
constexpr double kWorthMoving = 1.25;
constexpr Duration kExplainedFor = from_ms(1000);
constexpr double kExact = 1e-3;  // seconds that are no difference

/// Seconds from now, of a standing of that shelf.
double finish_of(const Standing& standing, bool timed, const Now& now) {
  return timed ? standing.finish - seconds(now.mono) : standing.finish;
}

/// Whether it is too early to load a model for work of which nothing is known,
/// while a provider that has it is merely busy: the task waits for that one as
/// long as the load would take. Of both the wrong choice costs no more than the
/// right one (ski rental; Karlin et al., "Competitive snoopy caching", 1988).
bool is_hasty(const Ranking& ranking, const QueueEntry& task, const Standing& standing,
              const Now& now) {
  if (standing.known || standing.load_s <= 0) return false;
  if (seconds(now.mono - task.accepted_at) >= standing.load_s) return false;
  const auto has_it = [](const Ranking::Order& order) {
    return !order.empty() && !order.begin()->cold;
  };
  return has_it(ranking.prefetch(false)) || has_it(ranking.full(false));
}

/// Goes through several orders as one, the best first.
class Merge {
 public:
  explicit Merge(const Now& now) : now_(now) {}
  void add(const Ranking::Order& order, bool timed) {
    ranges_[count_++] = {order.begin(), order.end(), timed};
  }
  const Standing* next() {
    Range* best = nullptr;
    for (std::size_t i = 0; i < count_; ++i) {
      Range& range = ranges_[i];
      if (range.at == range.end) continue;
      if (!best ||
          std::pair(range.at->cost, finish(range)) < std::pair(best->at->cost, finish(*best)))
        best = &range;
    }
    if (!best) return nullptr;
    finish_ = finish(*best);
    timed_ = best->timed;
    return &*best->at++;
  }
  /// Of the one last returned, in seconds from now.
  double finish() const { return finish_; }
  /// Whether that follows from the time at which it should be done with what it has.
  bool is_timed() const { return timed_; }

 private:
  struct Range {
    Ranking::Order::const_iterator at, end;
    bool timed = false;
  };
  double finish(const Range& range) const { return finish_of(*range.at, range.timed, now_); }

  const Now& now_;
  Range ranges_[4];
  std::size_t count_ = 0;
  double finish_ = 0;
  bool timed_ = false;
};

/// How much longer an executing task is expected to take. What is overdue is
/// expected to take a quarter of its delay longer, as in Provider::wait_s.
double left_of(const QueueEntry& task, const Now& now) {
  const double left = task.expected_s - seconds(now.mono - task.begun_at);
  const double least = task.expected_s / 8;
  return left >= least ? left : least + (least - left) / 4;
}

bool has_failed(const QueueEntry& task) {
  return std::ranges::any_of(task.record->issued, [](const IssuedAttempt& a) { return a.failed; });
}
std::ptrdiff_t failures_of(const QueueEntry& task) {
  return std::ranges::count_if(task.record->issued,
                               [](const IssuedAttempt& a) { return a.failed; });
}

}  // namespace

// ---- order
// ----------------------------------------------------------------------------------------

std::optional<Scheduler::Claim> Scheduler::claim_of(TaskClass& group) const {
  if (group.order.empty()) return std::nullopt;
  const TenantQueue& first = **group.order.begin();
  return Claim{first.tenant->turn, first.head(), &group};
}

void Scheduler::push(TaskClass& group) {
  const auto claim = claim_of(group);
  if (!claim) return;
  claims_.push_back(*claim);
  std::ranges::push_heap(claims_, std::greater());
}

void Scheduler::start() {
  claims_.clear();
  placed_ = nullptr;
  if (!fleet_.any_room()) return;
  for (TaskClass* group : backlog_.active())
    if (group->blocked_at != fleet_.version()) push(*group);
}

std::optional<Pick> Scheduler::next(const Now& now) {
  if (placed_ && placed_->queued != 0) push(*placed_);
  placed_ = nullptr;
  while (!claims_.empty() && fleet_.any_room()) {
    std::ranges::pop_heap(claims_, std::greater());
    const Claim claim = claims_.back();
    claims_.pop_back();
    // Serving a tenant moves it back in all of its classes.
    const auto present = claim_of(*claim.group);
    if (!present) continue;
    if (*present > claim) {
      push(*claim.group);
      continue;
    }
    if (auto placement = place(*claim.group, now)) {
      placed_ = claim.group;
      return placement;
    }
  }
  return std::nullopt;
}

std::optional<Pick> Scheduler::place(TaskClass& group, const Now& now) {
  group.ranking.refresh(fleet_, now.mono);
  group.blocked_at = 0;
  std::size_t looked = 0;
  for (TenantQueue* queue : group.order) {
    for (const auto& [key, head] : queue->tasks) {
      QueueEntry* task = head;
      const Choice choice = choose(group, *task, now);
      if (const Standing* standing = choice.standing) {
        // Better providers are done with so many of its class before this one would be done with
        // one, so it goes to a task that is as far behind.
        const double share =
            static_cast<double>(queue->tasks.size()) / static_cast<double>(group.queued);
        auto skip = static_cast<std::size_t>(std::min(choice.others * share, double{kMaxLooked}));
        for (auto it = queue->tasks.begin(); skip > 0 && std::next(it) != queue->tasks.end();
             --skip)
          if (!has_failed(*(++it)->second)) task = it->second;
        task = least_tried(group, *queue, task, *standing, now);
        return Pick{task, standing->provider, reason(group, *standing, now)};
      }
      // Only a task with a past is choosy; where a fresh one finds nothing, its class finds
      // nothing.
      const bool choosy = has_failed(*task);
      if (!choosy && choice.until_change) group.blocked_at = fleet_.version();
      if (!choosy || ++looked == kLookahead) return std::nullopt;
    }
  }
  return std::nullopt;
}

/// What is given to a node that failed last: of the first tasks the one that
/// has failed least, if it would go there too. So a node in trouble does not
/// use up the attempts of one task, and what other tasks do there tells whether
/// node or task is to blame.
QueueEntry* Scheduler::least_tried(TaskClass& group, const TenantQueue& queue, QueueEntry* task,
                                   const Standing& at, const Now& now) {
  if (at.provider->record->failures == 0) return task;
  std::size_t looked = 0;
  for (const auto& [key, other] : queue.tasks) {
    if (failures_of(*task) == 0 || ++looked > kLookahead) break;
    if (failures_of(*other) >= failures_of(*task)) continue;
    if (!has_failed(*other) || choose(group, *other, now).standing == &at) task = other;
  }
  return task;
}

std::string Scheduler::reason(const TaskClass& group, const Standing& standing,
                              const Now& now) const {
  const Offer offer = fleet_.offer(*standing.provider, group, now.mono);
  if (!offer.known || offer.finish_s() < kWorthWaitingSeconds) return "least loaded";
  std::string text = fmt::format("done soonest, in {:.1f} s: wait {:.1f}, load {:.1f}, run {:.1f}",
                                 offer.finish_s(), offer.wait_s, offer.load_s, offer.run_s);
  if (offer.success < 0.8) text += fmt::format(", success {:.0f} %", offer.success * 100);
  if (offer.cost > 0) text += fmt::format(", cost {:g}", offer.cost);
  return text;
}

// ---- choice
// ---------------------------------------------------------------------------------------

Scheduler::Choice Scheduler::choose(TaskClass& group, const QueueEntry& task, const Now& now) {
  const Ranking& ranking = group.ranking;
  Merge with_room(now);
  with_room.add(ranking.free(), false);
  if (may_prefetch()) {
    with_room.add(ranking.prefetch(true), true);
    with_room.add(ranking.prefetch(false), false);
  }
  const Standing *best = nullptr, *avoided = nullptr, *spared = nullptr;
  double finish = 0;  // of the best
  bool best_is_timed = false;
  Wait why_spared = Wait::kNone;
  for (std::size_t looked = 0; looked < kMaxLooked + task.record->issued.size(); ++looked) {
    const Standing* standing = with_room.next();
    if (!standing) break;
    // What comes now is no better, even if it is done as early as its order says.
    if (best && (standing->cost > best->cost || with_room.finish() >= finish)) break;
    if (task.record->failed_on(standing->provider->node_id)) {
      if (!avoided) avoided = standing;
      continue;
    }
    const bool settled = is_settled(*standing, now);
    if (settled || is_hasty(ranking, task, *standing, now)) {
      if (!std::exchange(spared, standing)) why_spared = settled ? Wait::kSettled : Wait::kHasty;
      continue;
    }
    // Behind the head of its order it may be overdue, and done later than was thought.
    const double there = with_room.is_timed()
                             ? ranking.finish_s(fleet_.offer(*standing->provider, group, now.mono))
                             : with_room.finish();
    if (best && there >= finish) continue;
    best = standing;
    best_is_timed = with_room.is_timed();
    finish = there;
    if (there <= with_room.finish() + kExact) break;
  }
  if (best) {
    // In a large fleet it may not have been looked at since what is expected has changed, while
    // those that are busy are.
    if (!best_is_timed) finish = ranking.finish_s(fleet_.offer(*best->provider, group, now.mono));
    const Elsewhere elsewhere = sooner_elsewhere(group, task, *best, finish, now);
    if (elsewhere.tasks < static_cast<double>(group.queued) || !elsewhere.first)
      return {.standing = best, .others = elsewhere.tasks};
    const bool cheaper = elsewhere.first->cost < best->cost;
    return {.wait = cheaper ? Wait::kCheaper : Wait::kSooner,
            .rather_than = best,
            .waits_for = elsewhere.first};
  }
  if (spared) return {.wait = why_spared, .rather_than = spared};
  return second_choice(group, task, avoided);
}

/// How many of the providers that serve have failed the task.
std::size_t Scheduler::serving_where_failed(const Ranking& ranking, const QueueEntry& task) const {
  std::set<NodeId> nodes;
  for (const IssuedAttempt& attempt : task.record->issued) {
    if (!attempt.failed) continue;
    const Provider* provider = fleet_.find_node(attempt.node_id);
    if (!provider) continue;
    const Shelf shelf = ranking.shelf_of(*provider);
    if (shelf != Shelf::kNone && shelf != Shelf::kResting) nodes.insert(attempt.node_id);
  }
  return nodes.size();
}

bool Scheduler::has_untried(const QueueEntry& task, const Now& now) {
  Ranking& ranking = task.group->ranking;
  ranking.refresh(fleet_, now.mono);
  return ranking.healthy() > serving_where_failed(ranking, task);
}

/// No first choice has room. Wait if there is one that is merely busy, else
/// take what there is. Those that rest are not there.
Scheduler::Choice Scheduler::second_choice(TaskClass& group, const QueueEntry& task,
                                           const Standing* avoided) const {
  const Ranking& ranking = group.ranking;
  // Prefetching begins with the length of the queue, not with a change of the fleet.
  const bool until_change =
      may_prefetch() || (ranking.prefetch(true).empty() && ranking.prefetch(false).empty());
  if (ranking.healthy() <= serving_where_failed(ranking, task))
    return {.standing = avoided, .until_change = until_change};
  return {.until_change = until_change,
          .wait = avoided ? Wait::kFailed : Wait::kNone,
          .rather_than = avoided};
}

/// How many tasks of the class could be done by providers that are busy now
/// before `best` would be done with one.
Scheduler::Elsewhere Scheduler::sooner_elsewhere(const TaskClass& group, const QueueEntry& task,
                                                 const Standing& best, double finish,
                                                 const Now& now) const {
  if (!best.known) return {};
  Merge busy(now);
  busy.add(group.ranking.full(true), true);
  if (!may_prefetch()) busy.add(group.ranking.prefetch(true), true);
  const double worth = std::max(finish * kWorthWaiting, kWorthWaitingSeconds);
  Elsewhere found;
  for (std::size_t looked = 0; looked < kMaxLooked; ++looked) {
    const Standing* other = busy.next();
    if (!other || found.tasks >= static_cast<double>(group.queued)) break;
    if (other->cost > best.cost || (other->cost == best.cost && busy.finish() > finish - worth))
      break;
    if (task.record->failed_on(other->provider->node_id)) continue;
    // Behind the head of its order it may be overdue, and done later than was
    // thought.
    const double there = group.ranking.finish_s(fleet_.offer(*other->provider, group, now.mono));
    const bool cheaper = other->cost < best.cost;
    if (!cheaper && there > finish - worth) continue;
    if (!found.first) found.first = other;
    if (cheaper) found.tasks = std::numeric_limits<double>::infinity();
    if (cheaper) break;
    found.tasks += 1 + std::floor((finish - there) * other->rate);
  }
  return found;
}

/// Whether the provider should go on with the model it has, for which there is demand.
bool Scheduler::is_settled(const Standing& standing, const Now& now) const {
  const Provider& provider = *standing.provider;
  if (standing.load_s <= 0 || provider.switched_at < Duration{0}) return false;
  if (provider.in_memory.size() < provider.memory_models) return false;
  if (backlog_.queued_of(provider.in_memory.back()) == 0) return false;
  return seconds(now.mono - provider.switched_at) < kSettledLoads * standing.load_s;
}

// ---- taking back
// ----------------------------------------------------------------------------------

std::vector<Scheduler::Recall> Scheduler::recalls(const Now& now) {
  std::vector<Recall> recalls;
  std::unordered_set<const Provider*> taken;
  std::size_t looked = 0;
  for (const auto& [ordinal, provider] : fleet_.prefetching()) {
    if (++looked > kMaxRecalls) break;
    QueueEntry& task = *provider->tasks.back();
    TaskClass& group = *task.group;
    // What is queued goes first to whoever is free.
    if (task.asked_back || group.queued != 0 || provider->reach != Reach::kOnline) continue;
    group.ranking.refresh(fleet_, now.mono);
    const double here = provider->wait_s(now.mono);
    for (const Standing& there : group.ranking.free()) {
      if (there.finish * kWorthMoving + kWorthWaitingSeconds >= here) break;
      if (taken.contains(there.provider) || task.record->failed_on(there.provider->node_id))
        continue;
      taken.insert(there.provider);
      task.asked_back = true;
      recalls.push_back({&task, provider});
      break;
    }
  }
  return recalls;
}

// ---- estimates and explanations
// -------------------------------------------------------------------

msg::Estimate Scheduler::estimate(const QueueEntry& task, const Now& now) {
  if (!task.group) return {};
  const auto outlook =
      task.record->is_assigned() ? outlook_at_provider(task, now) : outlook_in_queue(task, now);
  if (!outlook) return {};
  const auto ms = [&](double after) {
    return static_cast<std::uint64_t>(std::min((outlook->delay + after) * 1000 + 1, 1e15));
  };
  return {ms(calibration_.p50(outlook->start)), ms(calibration_.p95(outlook->start)),
          ms(calibration_.p50(outlook->finish)), ms(calibration_.p95(outlook->finish))};
}

msg::Estimate Scheduler::promise(QueueEntry& task, const Now& now) {
  const msg::Estimate told = estimate(task, now);
  if (told == msg::Estimate{} || task.finish_p95_s > 0) return told;
  const double age = seconds(now.mono - task.accepted_at);
  task.finish_p50_s = static_cast<float>(age + static_cast<double>(told.finish_p50_ms) / 1000);
  task.finish_p95_s = static_cast<float>(age + static_cast<double>(told.finish_p95_ms) / 1000);
  return told;
}

std::optional<Scheduler::Outlook> Scheduler::outlook_in_queue(const QueueEntry& task,
                                                              const Now& now) {
  TaskClass& group = *task.group;
  if (!measures_.fleet_run(group.model, group.key.size)) return std::nullopt;
  Ranking& ranking = group.ranking;
  ranking.refresh(fleet_, now.mono);
  if (ranking.healthy() == 0) return std::nullopt;

  Merge all(now);
  all.add(ranking.free(), false);
  all.add(ranking.prefetch(true), true);
  all.add(ranking.prefetch(false), false);
  all.add(ranking.full(true), true);
  const Standing* best = all.next();
  if (!best) return std::nullopt;
  const Offer offer = fleet_.offer(*best->provider, group, now.mono);
  // Those of other classes are ahead as far as they compete for the same providers.
  const double share = static_cast<double>(ranking.healthy()) / static_cast<double>(fleet_.size());
  const bool delayed = task.not_before > now.mono;  // nobody knows what will be queued then
  Outlook outlook;
  if (delayed) outlook.delay = seconds(task.not_before - now.mono);
  outlook.start = offer.wait_s + (delayed ? 0 : backlog_.ahead_of(task, share) / ranking.rate());
  outlook.finish = outlook.start + offer.service_s();
  return outlook;
}

/// Its node executes the first of its tasks at once, and each of the others
/// when a slot is free.
std::optional<Scheduler::Outlook> Scheduler::outlook_at_provider(const QueueEntry& task,
                                                                 const Now& now) const {
  const Provider* provider = fleet_.find(task.record->attempt(task.record->current)->session);
  if (provider->reach == Reach::kUnreachable || !task.expectation_known) return std::nullopt;
  std::vector<double> slots;  // when each is free
  for (const QueueEntry* other : provider->tasks) {
    Outlook outlook;
    if (slots.size() < provider->meta.slots) {
      outlook.finish = left_of(*other, now);
      slots.push_back(outlook.finish);
    } else {
      double& next = *std::ranges::min_element(slots);
      outlook.start = next;
      outlook.finish = next += other->expected_s;
    }
    if (other == &task) return outlook;
  }
  return std::nullopt;
}

void Scheduler::observe(const QueueEntry& task, const Now& now) {
  if (task.finish_p95_s <= 0) return;
  calibration_.observe(task.finish_p50_s, task.finish_p95_s, seconds(now.mono - task.accepted_at));
}

std::string Scheduler::misfits(const QueueEntry& task, const Now& now) {
  TaskClass& group = *task.group;
  group.ranking.refresh(fleet_, now.mono);
  if (group.ranking.healthy() != 0 || !group.ranking.resting().empty()) return "";
  // A look at the whole fleet: a flood of such tasks must not stop everything else.
  if (group.obstacles_until <= now.mono) {
    group.obstacles = fleet_.explain(group.key.needs, group.key.max_cost, now.mono);
    group.obstacles_until = now.mono + kExplainedFor;
  }
  return group.obstacles;
}

std::vector<Candidate> Scheduler::candidates(const QueueEntry& task, std::size_t count,
                                             const Now& now) {
  std::vector<Candidate> found;
  if (!task.group) return found;
  Ranking& ranking = task.group->ranking;
  ranking.refresh(fleet_, now.mono);
  Merge all(now);
  all.add(ranking.free(), false);
  all.add(ranking.prefetch(true), true);
  all.add(ranking.prefetch(false), false);
  all.add(ranking.full(true), true);
  const Choice choice = choose(*task.group, task, now);
  const auto enter = [&](const Standing& standing) {
    const Provider& provider = *standing.provider;
    std::string obstacle =
        fleet_.obstacle(provider, task.group->key.needs, task.group->key.max_cost, now.mono);
    if (obstacle.empty() && task.record->failed_on(provider.node_id)) obstacle = "it failed there";
    if (obstacle.empty() && is_settled(standing, now)) obstacle = "serves another model";
    if (obstacle.empty() && !choice.standing) obstacle = obstacle_of(choice);
    found.push_back(
        {&provider, fleet_.offer(provider, *task.group, now.mono), std::move(obstacle)});
  };
  while (found.size() < count) {
    const Standing* standing = all.next();
    if (!standing) break;
    enter(*standing);
  }
  for (const Standing& standing : ranking.resting())
    if (found.size() < count) enter(standing);
  return found;
}

}  // namespace genai::dispatcher
