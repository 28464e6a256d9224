// The rules of placement as the headers say them, followed the plain way: every provider and every
// queued task is looked at.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/dispatcher/placement/history.h"

namespace genai::dispatcher::test {

using Shelf = Ranking::Shelf;

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What the headers say of "within 5 %", of waiting and of looking ahead.
inline constexpr double kGrade = 1.05;
inline constexpr double kWorthWaiting = 0.05, kWorthWaitingSeconds = 0.05;
inline constexpr double kSettledLoads = 3;
inline constexpr std::size_t kLookahead = 32, kMaxLooked = 64;

/// A provider as a class of tasks sees it.
struct Look {
  Provider* provider;
  Shelf shelf;
  bool timed, known, settled;
  double cost;    // counts before `finish`
  double finish;  // seconds from now
  double rate;
};

inline bool has_failed(const QueueEntry& task) {
  return std::ranges::any_of(task.record->issued, [](const IssuedAttempt& a) { return a.failed; });
}

inline std::string describe(const Look& look) {
  std::ostringstream out;
  out << look.provider->node_id.str() << " (shelf " << int(look.shelf) << ", cost " << look.cost
      << ", finish " << look.finish << ", " << look.provider->outstanding() << "/"
      << look.provider->meta.slots << (look.settled ? ", settled" : "")
      << (look.known ? "" : ", unknown") << ")";
  return out.str();
}

class Rules {
 public:
  explicit Rules(History& h) : h_(h) {}

  /// Begins a pass.
  void start() { waited_.clear(); }

  /// What is wrong with the scheduler's next decision; empty: nothing.
  std::string judge(const std::optional<Pick>& got) {
    if (got)
      if (const std::string wrong = forbidden(*got); !wrong.empty()) return wrong;
    for (;;) {
      TaskClass* group = next_class();
      if (!group) return got ? "whose turn is it? not " + name(*got->task) : "";
      std::string wrong;
      if (judge_class(*group, got, wrong)) return wrong;
      waited_.insert(group);
    }
  }

  std::vector<Look> looks(const TaskClass& group) const {
    std::vector<Look> looks;
    for (const auto& [session, provider] : h_.providers.sessions())
      if (auto look = look_at(*provider, group)) looks.push_back(*look);
    return looks;
  }

 private:
  using Key = std::pair<std::int64_t, std::uint64_t>;

  static std::string name(const QueueEntry& task) {
    return "task " + std::to_string(task.record->sequence) + " of tenant " +
           std::string(task.record->spec.tenant());
  }
  Key key(const QueueEntry& task) const {
    return {static_cast<std::int64_t>(task.record->created_ms) -
                task.priority * static_cast<std::int64_t>(to_ms(h_.config.priority_step)),
            task.record->sequence};
  }
  bool is_queued(const QueueEntry& task) const {
    return task.group && task.record->status == TaskStatus::kUnscheduled &&
           task.not_before <= h_.now.mono;
  }
  std::size_t running(const std::string& tenant) const {
    return static_cast<std::size_t>(std::ranges::count_if(h_.tasks, [&](const QueueEntry& task) {
      return task.group && task.record->is_assigned() && task.record->spec.tenant() == tenant;
    }));
  }
  bool may_run(const QueueEntry& task) const {
    const std::uint64_t most = task.tenant->quota.max_running;
    return most == 0 || running(std::string(task.record->spec.tenant())) < most;
  }
  std::size_t count_queued() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(h_.tasks, [&](const QueueEntry& task) { return is_queued(task); }));
  }
  bool may_prefetch() const {
    std::size_t slots = 0;
    for (const auto& [session, provider] : h_.providers.sessions())
      if (provider->reach == Reach::kOnline && !provider->record->drained)
        slots += provider->meta.slots;
    return count_queued() > slots;
  }

  static bool fits(const Provider& provider, const TaskSpec& spec) {
    const PublicMetaInfo& meta = provider.meta;
    const auto& needs = spec.needs;
    return meta.min_cost <= spec.max_cost &&
           (needs.model.empty() || std::ranges::count(meta.models, needs.model) != 0) &&
           (needs.gpu_type.empty() || needs.gpu_type == meta.gpu_type) &&
           needs.vram_mib <= meta.vram_mib;
  }

  /// What must never happen, whatever else speaks for it.
  std::string forbidden(const Pick& got) const {
    const Provider& provider = *got.provider;
    const std::string where = name(*got.task) + " to " + provider.node_id.str();
    if (!is_queued(*got.task)) return where + ", which is not queued";
    if (!may_run(*got.task)) return where + ", whose tenant has enough";
    if (!fits(provider, got.task->record->spec.whole())) return where + ", which does not fit";
    if (provider.reach != Reach::kOnline) return where + ", which is not online";
    if (provider.record->drained) return where + ", which is drained";
    if (provider.barred_until > h_.now.mono) return where + ", which is barred";
    if (rests(provider)) return where + ", which rests";
    if (provider.outstanding() >= most_at(provider)) return where + ", which is full";
    return "";
  }

  bool rests(const Provider& provider) const {
    return std::max(provider.record->probation_ends, provider.unfit_until) > h_.now.mono;
  }
  static bool is_on_trial(const Provider& provider) {
    return provider.record->failures >= 3 || provider.unfit > 0;
  }
  std::size_t most_at(const Provider& provider) const {
    if (is_on_trial(provider)) return 1;
    return provider.meta.slots +
           std::min<std::size_t>(h_.config.prefetch, provider.most_prefetched);
  }

  double wait_s(const Provider& provider, bool timed) const {
    double all = 0, ends = 0;
    for (std::size_t i = 0; i < provider.tasks.size(); ++i) {
      const QueueEntry& task = *provider.tasks[i];
      all += task.expected_s;
      ends += task.expected_s + (i < provider.meta.slots ? seconds(task.begun_at) : 0);
    }
    if (!timed) return all / provider.meta.slots;
    const double left = ends / provider.meta.slots - seconds(h_.now.mono);
    const double least = all / static_cast<double>(provider.tasks.size()) / 8;
    return left < least ? least + (least - left) / 4 : left;
  }

  std::optional<Look> look_at(Provider& provider, const TaskClass& group) const {
    TaskSpec spec;
    spec.needs = group.key.needs;
    spec.max_cost = group.key.max_cost;
    if (provider.reach != Reach::kOnline || provider.record->drained ||
        provider.barred_until > h_.now.mono || !fits(provider, spec))
      return std::nullopt;
    const std::size_t slots = provider.meta.slots, has = provider.outstanding();
    const bool room = has < most_at(provider);
    Look look{};
    look.provider = &provider;
    if (rests(provider))
      look.shelf = Shelf::kResting;
    else if (!room)
      look.shelf = is_on_trial(provider) ? Shelf::kResting : Shelf::kFull;
    else
      look.shelf = has < slots ? Shelf::kFree : Shelf::kPrefetch;

    const Account& account = provider.record->measured;
    const Expectation expected = h_.measures.expect(account, group.model, group.key.size);
    const bool holds = group.model == 0 || std::ranges::count(provider.in_memory, group.model) != 0;
    const bool full_memory = provider.in_memory.size() >= provider.memory_models;
    double load = 0;
    if (provider.reports_models && !holds) {
      load = expected.load_s;
      if (full_memory) load += h_.measures.expect(account, provider.in_memory.back(), 0).load_s;
    }
    const bool has_unknown = std::ranges::any_of(
        provider.tasks, [](const QueueEntry* task) { return !task->expectation_known; });
    look.timed = (look.shelf == Shelf::kPrefetch || look.shelf == Shelf::kFull) && !has_unknown &&
                 provider.tasks.size() >= slots;
    look.known = expected.known;
    const double ratio = group.key.time_to_money_ratio;
    look.cost = ratio == 0 ? provider.meta.min_cost : 0;
    look.finish = wait_s(provider, !has_unknown && provider.tasks.size() >= slots) +
                  (load + expected.run_s) / expected.success +
                  (ratio == 0 ? 0 : provider.meta.min_cost / ratio);
    look.rate = static_cast<double>(slots) * expected.success / expected.run_s;
    look.settled = load > 0 && provider.switched_at >= Duration{0} && full_memory &&
                   is_wanted(provider.in_memory.back()) &&
                   seconds(h_.now.mono - provider.switched_at) < kSettledLoads * load;
    return look;
  }
  bool is_wanted(ModelId model) const {
    return std::ranges::any_of(h_.tasks, [&](const QueueEntry& task) {
      return is_queued(task) && task.group->model == model;
    });
  }

  /// The queued tasks of a class in the order of service.
  std::vector<QueueEntry*> in_order(const TaskClass& group) const {
    std::vector<QueueEntry*> order;
    for (QueueEntry& task : h_.tasks)
      if (task.group == &group && is_queued(task) && may_run(task)) order.push_back(&task);
    std::ranges::sort(order, {}, [&](const QueueEntry* task) {
      return std::pair(task->tenant->turn, key(*task));
    });
    return order;
  }

  /// That of the first task of all, but for classes that wait.
  TaskClass* next_class() const {
    QueueEntry* first = nullptr;
    for (QueueEntry& task : h_.tasks) {
      if (!is_queued(task) || waited_.contains(task.group) || !may_run(task)) continue;
      if (!first ||
          std::pair(task.tenant->turn, key(task)) < std::pair(first->tenant->turn, key(*first)))
        first = &task;
    }
    return first ? first->group : nullptr;
  }

  /// How much less or more than is known here the scheduler may believe.
  double slack() const { return h_.frozen ? 1 + 1e-9 : 1.35; }

  /// Tasks of the class that busy providers have done before `best` has done
  /// one: at least and at most, as estimates may differ.
  std::pair<double, double> sooner(const std::vector<Look>& all, const QueueEntry& task,
                                   const Look& best) const {
    if (!best.known) return {0, 0};
    std::pair<double, double> tasks{0, 0};
    const bool prefetch = may_prefetch();
    for (const double factor : {1 / slack(), slack()}) {
      double& sum = factor < 1 ? tasks.first : tasks.second;
      const double finish = best.finish * factor;
      const double worth = std::max(finish * kWorthWaiting, kWorthWaitingSeconds);
      for (const Look& other : all) {
        const bool busy =
            other.shelf == Shelf::kFull || (other.shelf == Shelf::kPrefetch && !prefetch);
        if (!busy || !other.timed || task.record->failed_on(other.provider->node_id)) continue;
        if (other.cost < best.cost) sum += kInfinity;
        if (other.cost != best.cost || other.finish > finish - worth) continue;
        sum += 1 + std::floor((finish - other.finish) * other.rate);
      }
      sum = std::min(sum, 1e6);
    }
    return tasks;
  }

  /// Those no worse than the best by more than estimates are graded.
  std::vector<Look> best_of(const std::vector<Look>& looks) const {
    std::vector<Look> best;
    std::pair<double, double> first{kInfinity, kInfinity};
    for (const Look& look : looks) first = std::min(first, {look.cost, look.finish});
    for (const Look& look : looks)
      if (look.cost == first.first && look.finish <= first.second * kGrade * slack())
        best.push_back(look);
    return best;
  }

  struct Verdict {
    bool may_wait = false;
    struct Place {
      Look look;
      std::size_t least_skipped = 0, most_skipped = 0;
    };
    std::vector<Place> places;
  };

  Verdict verdict(const TaskClass& group, const QueueEntry& task,
                  const std::vector<QueueEntry*>& order) const {
    const std::vector<Look> all = looks(group);
    const bool prefetch = may_prefetch();
    std::vector<Look> with_room, avoided;
    bool settled = false, merely_busy = false;
    for (const Look& look : all) {
      const bool failed = task.record->failed_on(look.provider->node_id);
      if (look.shelf == Shelf::kResting) continue;
      const bool room = look.shelf == Shelf::kFree || (look.shelf == Shelf::kPrefetch && prefetch);
      if (!failed && !room) merely_busy = true;
      if (!room) continue;
      if (failed) {
        avoided.push_back(look);
      } else if (look.settled) {
        settled = true;
      } else {
        with_room.push_back(look);
      }
    }
    Verdict verdict;
    if (!with_room.empty()) {
      const auto queued = static_cast<std::size_t>(std::ranges::count_if(
          h_.tasks, [&](const QueueEntry& t) { return t.group == &group && is_queued(t); }));
      const auto of_tenant = static_cast<std::size_t>(std::ranges::count_if(
          order, [&](const QueueEntry* t) { return t->tenant == task.tenant; }));
      const double share = static_cast<double>(of_tenant) / static_cast<double>(queued);
      for (const Look& look : best_of(with_room)) {
        const auto [least, most] = sooner(all, task, look);
        if (most >= static_cast<double>(queued)) verdict.may_wait = true;
        if (least < static_cast<double>(queued)) {
          const auto skip = [&](double others) {
            return static_cast<std::size_t>(std::min(others * share, double{kMaxLooked}));
          };
          verdict.places.push_back({look, skip(least), skip(most)});
        }
      }
      return verdict;
    }
    if (settled || merely_busy) return {true, {}};
    for (const Look& look : best_of(avoided)) verdict.places.push_back({look, 0, 0});
    verdict.may_wait = avoided.empty();
    return verdict;
  }

  /// Whether `got` is what the class should do, then `wrong` is empty, or must not, then it says
  /// why. False: the class waits.
  bool judge_class(TaskClass& group, const std::optional<Pick>& got, std::string& wrong) const {
    const std::vector<QueueEntry*> order = in_order(group);
    std::size_t looked = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const QueueEntry& task = *order[i];
      const Verdict v = verdict(group, task, order);
      if (got && got->task->group == &group)
        for (const auto& place : v.places)
          if (place.look.provider == got->provider &&
              (is_within(order, i, place.least_skipped, place.most_skipped, got->task) ||
               spares(group, order, task, *got)))
            return judge_spared(group, order, task, *got, wrong);
      if (!v.may_wait) {
        wrong = name(task) + " should go to";
        for (const auto& place : v.places)
          wrong += " " + describe(place.look) + " skipping " + std::to_string(place.least_skipped);
        wrong += ", but ";
        wrong += got ? name(*got->task) + " went to " + got->provider->node_id.str() : "waits";
        wrong += "; all:";
        for (const Look& look : looks(group)) wrong += "\n  " + describe(look);
        return true;
      }
      if (!has_failed(task) || ++looked == kLookahead) return false;
    }
    return false;
  }

  static std::ptrdiff_t failures(const QueueEntry& task) {
    return std::ranges::count_if(task.record->issued,
                                 [](const IssuedAttempt& a) { return a.failed; });
  }
  /// The first tasks of the tenant that a provider which failed last may get
  /// instead of `task`.
  std::vector<const QueueEntry*> others(const TaskClass& group,
                                        const std::vector<QueueEntry*>& order,
                                        const QueueEntry& task, const Provider& provider) const {
    std::vector<const QueueEntry*> found;
    std::size_t looked = 0;
    for (const QueueEntry* other : order) {
      if (other->tenant != task.tenant || ++looked > kLookahead) continue;
      const auto there = [&](const Verdict::Place& place) {
        return place.look.provider == &provider;
      };
      if (failures(*other) == 0 || std::ranges::any_of(verdict(group, *other, order).places, there))
        found.push_back(other);
    }
    return found;
  }
  /// Whether `got` is such a task, with fewer failed attempts.
  bool spares(const TaskClass& group, const std::vector<QueueEntry*>& order, const QueueEntry& task,
              const Pick& got) const {
    return got.provider->record->failures > 0 && failures(*got.task) < failures(task) &&
           std::ranges::count(others(group, order, task, *got.provider), got.task) != 0;
  }
  /// True; `wrong` says so if a provider that failed last got a task that
  /// failed, though another has not.
  bool judge_spared(const TaskClass& group, const std::vector<QueueEntry*>& order,
                    const QueueEntry& task, const Pick& got, std::string& wrong) const {
    if (got.provider->record->failures == 0 || failures(*got.task) == 0) return true;
    for (const QueueEntry* other : others(group, order, task, *got.provider))
      if (failures(*other) == 0) wrong = name(*got.task) + " went before " + name(*other);
    return true;
  }

  /// Better providers serve so many of the tenant's tasks first: it is the next
  /// after them, of those without failed attempts.
  static bool is_within(const std::vector<QueueEntry*>& order, std::size_t head, std::size_t least,
                        std::size_t most, const QueueEntry* task) {
    for (std::size_t skip = least; skip <= most; ++skip) {
      // The head of the tenant's queue is where counting begins.
      std::size_t first = head;
      while (first > 0 && order[first - 1]->tenant == order[head]->tenant) --first;
      const QueueEntry* chosen = order[head];
      for (std::size_t i = first + 1; i <= first + skip && i < order.size(); ++i)
        if (order[i]->tenant == order[head]->tenant && !has_failed(*order[i])) chosen = order[i];
      if (chosen == task) return true;
    }
    return false;
  }

  History& h_;
  std::set<const TaskClass*> waited_;
};

}  // namespace genai::dispatcher::test
