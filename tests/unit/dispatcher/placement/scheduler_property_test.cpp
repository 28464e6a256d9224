// Random fleets, queues and histories. Each decision of the scheduler is held against the rules in
// the headers, followed the plain way: every provider and every queued task is looked at.
//
// The cases are the same in each run; others, more, or one again: RC_PARAMS="max_success=20000",
// "seed=7", "reproduce=...".
#include <rapidcheck.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include "tests/unit/dispatcher/fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Fleet;
using Shelf = Ranking::Shelf;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What the headers say of "within 5 %", of waiting and of looking ahead.
constexpr double kGrade = 1.05;
constexpr double kWorthWaiting = 0.05, kWorthWaitingSeconds = 0.05;
constexpr double kSettledLoads = 3;
constexpr std::size_t kLookahead = 32, kMaxLooked = 64;

struct Event {
  std::uint8_t kind = 0;
  std::uint16_t a = 0, b = 0;
};
std::ostream& operator<<(std::ostream& out, const Event& e) {
  return out << "{" << int{e.kind} << ", " << e.a << ", " << e.b << "}";
}

// ---- a fleet and its history
// ---------------------------------------------------------------------

const std::string kModels[] = {"sd15", "sdxl", "flux"};
constexpr double kRunSeconds[] = {2, 20, 90}, kLoadSeconds[] = {4, 15, 40};

std::vector<std::string> models_of(unsigned bits) {
  std::vector<std::string> models;
  for (unsigned m = 0; m < 3; ++m)
    if (bits >> m & 1) models.push_back(kModels[m]);
  return models;
}

PublicMetaInfo meta_of(unsigned a, unsigned b) {
  PublicMetaInfo meta;
  meta.slots = 1 + a % 4;
  meta.models = models_of(a / 4 % 4 == 0 ? 1 + a / 16 % 7 : 7);
  meta.loaded_models = models_of(b % 8);
  std::erase_if(meta.loaded_models,
                [&](const auto& m) { return std::ranges::count(meta.models, m) == 0; });
  meta.gpu_type = b / 8 % 4 == 0 ? "gtx" : "rtx";
  meta.vram_mib = b / 32 % 4 == 0 ? 8'000 : 24'000;
  meta.min_cost = b / 128 % 3 == 0 ? (b / 384 % 2 == 0 ? 1 : 5) : 0;
  return meta;
}

TaskSpec spec_of(unsigned a, unsigned b) {
  TaskSpec spec;
  const unsigned kind = a % 8;  // few kinds, so that some classes are long
  if (kind != 0) spec.needs.model = kModels[kind % 3];
  if (kind == 4) spec.needs.gpu_type = "rtx";
  if (kind == 5) spec.needs.vram_mib = 16'000;
  if (kind == 6) spec.max_cost = 1;
  if (kind == 7) spec.time_to_money_ratio = 0;
  if (kind == 3) spec.time_to_money_ratio = 0.5;
  if (kind <= 2) spec.work = a / 8 % 2 ? 16 : 1;
  spec.tenant = std::string(1, static_cast<char>('a' + b % 3));
  spec.priority = static_cast<std::uint8_t>(b / 3 % 10);
  return spec;
}

PlacementPolicy config_of(unsigned prefetch) {
  PlacementPolicy config;
  config.prefetch = prefetch;
  config.quotas = {{"b", {3, 0, 0, 0}}, {"c", {1, 0, 3, 0}}};
  return config;
}

struct History : Fleet {
  /// `frozen`: nothing is measured once the fleet is set up, so that what rankings know of the
  /// fleet as a whole never is a little old, and decisions are exact.
  History(unsigned prefetch, bool is_frozen) : Fleet(config_of(prefetch)), frozen(is_frozen) {}

  const bool frozen;
  std::vector<std::string> nodes;

  Provider* pick_node(unsigned a) {
    return nodes.empty() ? nullptr : providers.find_node(*NodeId::parse(nodes[a % nodes.size()]));
  }
  QueueEntry* pick_task(unsigned a, bool placed) {
    std::vector<QueueEntry*> fitting;
    for (QueueEntry& task : tasks)
      if (task.group && task.record->is_assigned() == placed) fitting.push_back(&task);
    return fitting.empty() ? nullptr : fitting[a % fitting.size()];
  }

  void join_one(unsigned a, unsigned b) {
    if (nodes.size() >= 40) return;
    nodes.push_back("n" + std::to_string(sessions));
    Provider& provider = join(nodes.back(), meta_of(a, b));
    if (a / 64 % 4 == 0) return;  // a newcomer
    const double slower = std::exp2(static_cast<double>(b / 8 % 16) / 4 - 2);
    for (unsigned m = 0; m < 3; ++m) {
      if (std::ranges::count(provider.meta.models, kModels[m]) == 0) continue;
      for (unsigned i = 0; i < 1 + a / 256 % 8; ++i)
        ran(provider, kModels[m], kRunSeconds[m] * slower, i == 0 ? kLoadSeconds[m] : 0, m + 1.0);
    }
    for (unsigned i = 0; i < b / 1024 % 4; ++i)
      measures.failed(provider.record->measured, measures.model("sdxl"), false, 0);
    providers.reindex(provider, now.mono);
  }

  void end_task(QueueEntry& task, bool well) {
    if (frozen) {
      Provider& provider = take(task);
      record_of(task).status = well ? TaskStatus::kCompleted : TaskStatus::kUnscheduled;
      record_of(task).attempt(task.record->current)->failed = !well;
      well ? backlog.forget(task) : backlog.add(task, now.mono);
      well ? providers.count_success(provider, now.mono)
           : providers.count_failure(provider, now.mono);
    } else {
      well ? complete(task) : fail(task);
    }
  }

  void happen(const Event& e) {
    Provider* node = pick_node(e.a);
    switch (e.kind % 20) {
      case 0:
      case 1:
      case 2:
      case 3:
        for (unsigned i = 0; i <= e.b / 64 % 6; ++i) add(spec_of(e.a, e.b + i));
        break;
      case 4:
      case 5:
      case 6:
      case 7:
        if (QueueEntry* task = pick_task(e.a, true)) end_task(*task, true);
        break;
      case 8:
        if (QueueEntry* task = pick_task(e.a, true)) end_task(*task, false);
        break;
      case 9:
      case 10:
        pass(e.a % 500 / 100.0);
        break;
      case 11:
        pass(e.a % 300);
        break;
      case 12:
        // What is measured of a newcomer is measured of the whole fleet.
        join_one(frozen ? e.a & ~0xC0u : e.a, frozen ? e.b & 0x3FF : e.b);
        break;
      case 13:
        if (!node) break;
        std::erase(nodes, node->node_id.str());
        leave(*node);
        break;
      case 14:
        if (node) set_reach(*node, e.b % 2 ? Reach::kOnline : Reach::kSuspect);
        break;
      case 15:
        if (!node) break;
        node->record->drained = e.b % 4 == 0;
        providers.reindex(*node, now.mono);
        break;
      case 16:
        if (!node) break;
        switch (e.b % 6) {
          case 0:
            return providers.bar(*node, now.mono);
          case 1:
            return providers.count_failure(*node, now.mono);
          case 2:
            return providers.count_fault(*node, now.mono);
          case 3:
            return providers.count_unfit(*node, "no room on the disk", now.mono);
          case 4:
            return providers.clear_unfit(*node, now.mono);
          default:
            return providers.count_refusal(*node, now.mono);
        }
      case 17:
        if (node) providers.set_loaded(*node, models_of(e.b % 8), now.mono);
        break;
      case 18:
        if (!node) break;
        {
          PublicMetaInfo meta = node->meta;
          meta.slots = 1 + e.b % 4;
          providers.set_meta(*node, meta, now.mono);
        }
        break;
      case 19:
        if (e.b % 2) {
          if (QueueEntry* task = pick_task(e.a, false); task && task->not_before <= now.mono)
            backlog.set_priority(*task, e.b / 2 % 10);
        } else if (node) {
          node->aborting = node->aborting == 0 ? 1 : 0;
          providers.reindex(*node, now.mono);
        }
        break;
    }
    while (Provider* due = providers.next_due(now.mono)) providers.reindex(*due, now.mono);
    backlog.release_due(now.mono);
  }
};

// ---- the rules
// -----------------------------------------------------------------------------------

/// A provider as a class of tasks sees it.
struct Look {
  Provider* provider;
  Shelf shelf;
  bool timed, known, settled;
  double cost;    // counts before `finish`
  double finish;  // seconds from now
  double rate;
};

bool has_failed(const QueueEntry& task) {
  return std::ranges::any_of(task.record->issued, [](const IssuedAttempt& a) { return a.failed; });
}

std::string describe(const Look& look) {
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

// ---- what holds after each event
// -----------------------------------------------------------------

/// The ranking that follows the log of changes against one that is built anew.
std::string compare_rankings(History& h, const Rules& rules) {
  for (TaskClass* group : h.backlog.active()) {
    Ranking& kept = group->ranking;
    kept.refresh(h.providers, h.now.mono);
    kept.check_invariants(h.providers);
    Ranking anew(*group);
    anew.refresh(h.providers, h.now.mono);
    const double slack = h.frozen ? 1 + 1e-9 : 1.35;
    if (kept.healthy() != anew.healthy()) return "healthy";
    if (kept.rate() < anew.rate() / slack - 1e-9 || kept.rate() > anew.rate() * slack + 1e-9)
      return "rate";
    std::map<const Provider*, Look> looks;
    for (const Look& look : rules.looks(*group)) looks.emplace(look.provider, look);
    for (const auto& [session, provider] : h.providers.sessions()) {
      const Shelf shelf = kept.shelf_of(*provider);
      if (shelf != anew.shelf_of(*provider)) return "shelf of " + provider->node_id.str();
      const auto look = looks.find(provider.get());
      if (shelf != (look == looks.end() ? Shelf::kNone : look->second.shelf))
        return "shelf by the rules of " + provider->node_id.str();
    }
    const auto differ = [&](const Ranking::Order& a, const Ranking::Order& b, bool timed) {
      if (a.size() != b.size()) return true;
      if (a.empty()) return false;
      const double from = timed ? seconds(h.now.mono) : 0;
      const double best = b.begin()->finish - from;
      const double finish = a.begin()->finish - from;
      if (a.begin()->cost != b.begin()->cost) return true;
      return finish > best * slack * (timed ? 1 : kGrade) + 1e-6 ||
             finish * slack * (timed ? 1 : kGrade) < best - 1e-6;
    };
    if (differ(kept.free(), anew.free(), false)) return "free";
    if (differ(kept.prefetch(true), anew.prefetch(true), true)) return "prefetch";
    if (differ(kept.prefetch(false), anew.prefetch(false), false)) return "prefetch of unknown";
    if (differ(kept.full(true), anew.full(true), true)) return "full";
    if (kept.resting().size() != anew.resting().size()) return "resting";  // in no order
  }
  return "";
}

void run_pass(History& h, Rules& rules) {
  h.scheduler.start();
  rules.start();
  for (;;) {
    const auto placement = h.scheduler.next(h.now);
    if (const std::string wrong = rules.judge(placement); !wrong.empty()) RC_FAIL(wrong);
    if (!placement) break;
    h.place(*placement->task, *placement->provider);
  }
}

const auto kEvents = rc::gen::container<std::vector<Event>>(rc::gen::construct<Event>(
    rc::gen::inRange<std::uint8_t>(0, 20), rc::gen::arbitrary<std::uint16_t>(),
    rc::gen::arbitrary<std::uint16_t>()));

}  // namespace

TEST_CASE("every decision is the one that the rules demand") {
  setenv("RC_PARAMS", "seed=1 max_success=1000 max_size=120", 0);
  const bool frozen = GENERATE(true, false);
  CAPTURE(frozen);
  const bool holds = rc::check([frozen] {
    History h(*rc::gen::inRange(0u, 3u), frozen);
    Rules rules(h);
    const auto fleet = *rc::gen::container<std::vector<std::pair<std::uint16_t, std::uint16_t>>>(
        rc::gen::arbitrary<std::pair<std::uint16_t, std::uint16_t>>());
    for (const auto& [a, b] : fleet) h.join_one(a, b);
    if (h.nodes.empty()) h.join_one(15, 9);
    for (const Event& event : *kEvents) {
      h.happen(event);
      run_pass(h, rules);
      h.check_invariants();
      if (const std::string wrong = compare_rankings(h, rules); !wrong.empty())
        RC_FAIL("a ranking kept up differs from one built anew: " + wrong);
    }
  });
  CHECK(holds);
}
