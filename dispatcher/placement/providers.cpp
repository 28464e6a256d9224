#include "dispatcher/placement/providers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "dispatcher/placement/backlog.h"
#include "dispatcher/placement/fit.h"
#include "dispatcher/placement/limits.h"
#include "protocol/base/check.h"
#include "protocol/base/doubled.h"
#include "protocol/base/planted.h"

namespace genai::dispatcher {
namespace {

constexpr std::uint32_t kFailuresToRest = 3;
constexpr Duration kFirstRest = from_ms(1000), kLongestRest = from_ms(32'000);
constexpr Duration kBarred = from_ms(1000);
// A refusal is often no more than a RESULT_ACK that is on its way yet.
constexpr Duration kFirstBarred = from_ms(10);

// Obstacles.
constexpr const char* kUnfit = "can run nothing now";
constexpr const char* kRests = "rest after failures";

/// Of one that rests, without what it said itself: that is for operators.
std::string rest_of(const Provider& provider, Duration now) {
  return fmt::format("{} rests for another {:.1f} s: {}", provider.node_id.str(),
                     seconds(provider.rest_ends() - now),
                     provider.unfit > 0 ? "it can run nothing now" : provider.trouble());
}

}  // namespace

bool Provider::is_on_trial() const { return record->failures >= kFailuresToRest || unfit > 0; }

std::string Provider::trouble() const {
  if (unfit > 0)
    return unfit_reason.empty() ? "can run nothing now" : "can run nothing now: " + unfit_reason;
  if (record->failures < kFailuresToRest) return "";
  return fmt::format("{} tasks in a row did not complete", record->failures);
}

Provider* Providers::find(const SessionId& session) {
  auto it = sessions_.find(session);
  return it == sessions_.end() ? nullptr : it->second.get();
}

Provider* Providers::find_node(const NodeId& node) {
  auto it = nodes_.find(node);
  return it == nodes_.end() ? nullptr : it->second;
}

bool Provider::holds(ModelId model) const {
  return model == 0 || std::ranges::find(in_memory, model) != in_memory.end();
}

double Provider::wait_s(Duration now) const {
  if (!is_timed()) return committed_s / meta.slots;
  const double left = (executing_due_s + waiting_s) / meta.slots - seconds(now);
  const double least = committed_s / static_cast<double>(tasks.size()) / 8;
  return left >= least ? left : least + (least - left) / 4;
}

double Provider::firm_until() const {
  if (!is_timed()) return std::numeric_limits<double>::infinity();
  const double least = committed_s / static_cast<double>(tasks.size()) / 8;
  return (executing_due_s + waiting_s) / meta.slots - least;
}

Provider& Providers::add(const SessionId& session, const NodeId& node, const Now& now) {
  auto owned = std::make_unique<Provider>();
  Provider& provider = *owned;
  provider.session = session;
  provider.node_id = node;
  provider.since_ms = to_ms(now.wall);
  provider.record = &records_[node];
  provider.ordinal = ++joins_;
  if (free_indexes_.empty()) {
    provider.index = by_index_.size();
    by_index_.push_back(&provider);
    places_.emplace_back();
  } else {
    provider.index = free_indexes_.back();
    free_indexes_.pop_back();
    by_index_[provider.index] = &provider;
  }
  sessions_.emplace(session, std::move(owned));
  nodes_[node] = &provider;
  return provider;
}

void Providers::remove(Provider& provider) {
  GENAI_CHECK(provider.tasks.empty());
  unindex(provider);
  log_change(provider.index);
  by_index_[provider.index] = nullptr;
  free_indexes_.push_back(provider.index);
  if (find_node(provider.node_id) == &provider) {
    nodes_.erase(provider.node_id);
    if (records_.size() > kMaxRecords && !provider.record->drained)
      records_.erase(provider.node_id);
  }
  sessions_.erase(SessionId(provider.session));
}

std::size_t Providers::capacity(const Provider& provider) const {
  if (provider.is_on_trial()) return 1;
  const std::size_t prefetch = std::min<std::size_t>(policy_.prefetch, provider.most_prefetched);
  return provider.meta.slots + prefetch + (GENAI_PLANTED(kOverfill) ? 1 : 0);
}

void Providers::unindex(Provider& provider) {
  Place& place = places_[provider.index];
  if (place.deadline != kNever) deadlines_.erase({place.deadline, provider.ordinal});
  slots_online_ -= place.slots;
  with_room_ -= place.room;
  place = {};
}

/// Whoever has not looked for longer than the fleet is large is as well off to look at all.
void Providers::log_change(std::size_t index) {
  if (log_.size() > 2 * by_index_.size() + 64) {
    const std::size_t gone = log_.size() / 2;
    log_start_ += gone;
    log_.erase(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(gone));
  }
  log_.push_back(index);
}

void Providers::reindex(Provider& provider, Duration now) {
  unindex(provider);
  Place& place = places_[provider.index];
  const bool rests = provider.rest_ends() > now;
  const bool online = provider.reach == Reach::kOnline ||
                      (GENAI_PLANTED(kAssignToSuspect) && provider.reach == Reach::kSuspect);
  if (online && !provider.record->drained) {
    const bool barred = provider.barred_until > now;
    place.slots = provider.meta.slots;
    place.room = !barred && !rests && provider.outstanding() < capacity(provider);
    if (rests) place.deadline = provider.rest_ends();
    if (barred) place.deadline = std::min(place.deadline, provider.barred_until);
  }
  if (place.deadline != kNever)
    deadlines_.emplace(std::pair{place.deadline, provider.ordinal}, &provider);
  slots_online_ += place.slots;
  with_room_ += place.room;
  log_change(provider.index);
}

void Providers::set_loaded(Provider& provider, const std::vector<std::string>& models,
                           Duration now) {
  provider.meta.loaded_models = models;
  if (!provider.reports_models && !models.empty()) {
    provider.reports_models = true;
    reindex(provider, now);
  }
  // While it works on something, what it will hold afterwards is known better here.
  if (!provider.reports_models || !provider.tasks.empty()) return;
  provider.memory_models = std::max(provider.memory_models, models.size());
  std::vector<ModelId> held;
  for (const std::string& model : models) held.push_back(measures_.model(model, false));
  // The order in which they go is the node's; ours is only a guess, kept where it agrees.
  const auto sorted = [](std::vector<ModelId> ids) {
    std::ranges::sort(ids);
    return ids;
  };
  if (sorted(held) == sorted(provider.in_memory)) return;
  provider.in_memory = std::move(held);
  reindex(provider, now);
}

Ranking::Shelf Providers::shelf_of(const Provider& provider, const TaskClass& group,
                                   Duration now) const {
  using Shelf = Ranking::Shelf;
  if (provider.reach != Reach::kOnline || provider.record->drained || provider.barred_until > now)
    return Shelf::kNone;
  if (provider.meta.min_cost > group.key.max_cost) return Shelf::kNone;
  if (misfit(group.key.needs, provider.meta) != Misfit::kNone) return Shelf::kNone;
  const bool room = provider.outstanding() < capacity(provider);
  if (provider.rest_ends() > now || (provider.is_on_trial() && !room)) return Shelf::kResting;
  if (!room) return Shelf::kFull;
  return provider.outstanding() < provider.meta.slots ? Shelf::kFree : Shelf::kPrefetch;
}

/// What it will take to load again what has to go: another model cannot make a node load all the
/// time unless that pays twice.
double Providers::reload_s(const Provider& provider) const {
  if (provider.in_memory.size() < provider.memory_models) return 0;
  return measures_.expect(provider.record->measured, provider.in_memory.back(), 0).load_s;
}

Offer Providers::offer(const Provider& provider, const TaskClass& group, Duration now) const {
  const Expectation expected =
      measures_.expect(provider.record->measured, group.model, group.key.size);
  Offer offer;
  offer.wait_s = provider.wait_s(now);
  // What a node holds is known only of those that tell.
  offer.cold = provider.reports_models && !provider.holds(group.model);
  if (offer.cold) offer.load_s = expected.load_s + reload_s(provider);
  offer.run_s = expected.run_s;
  offer.success = expected.success;
  offer.cost = provider.meta.min_cost;
  offer.known = expected.known;
  return offer;
}

void Providers::set_meta(Provider& provider, const PublicMetaInfo& meta, Duration now) {
  const std::size_t slots = provider.meta.slots;
  provider.meta = meta;
  if (slots != meta.slots) recount(provider, now);
  set_loaded(provider, meta.loaded_models, now);
  reindex(provider, now);
}

/// As if its slots had never been others.
void Providers::recount(Provider& provider, Duration now) {
  provider.executing_due_s = provider.waiting_s = 0;
  for (std::size_t i = 0; i < provider.tasks.size(); ++i) {
    QueueEntry& task = *provider.tasks[i];
    if (i >= provider.meta.slots)
      provider.waiting_s += task.expected_s;
    else if (task.begun_at == Duration{0})
      begin(provider, task, now);
    else
      provider.executing_due_s += seconds(task.begun_at) + task.expected_s;
  }
  if (provider.tasks.size() > provider.meta.slots)
    prefetching_.emplace(provider.ordinal, &provider);
  else
    prefetching_.erase(provider.ordinal);
}

/// The task is now among those the node executes.
void Providers::begin(Provider& provider, QueueEntry& task, Duration now) {
  task.begun_at = now;
  provider.executing_due_s += seconds(now) + task.expected_s;
}

void Providers::give(Provider& provider, QueueEntry& task, Duration now) {
  const ModelId model = task.group->model;
  const Expectation expected =
      measures_.expect(provider.record->measured, model, task.group->key.size);
  const bool cold = provider.reports_models && !provider.holds(model);
  task.expected_s = expected.run_s + (cold ? expected.load_s : 0);
  task.expectation_known = expected.known;
  if (model != 0) {
    if (cold) provider.switched_at = now;
    std::erase(provider.in_memory, model);
    provider.in_memory.insert(provider.in_memory.begin(), model);
    if (provider.in_memory.size() > provider.memory_models)
      provider.in_memory.resize(provider.memory_models);
  }
  task.begun_at = Duration{0};
  provider.tasks.push_back(&task);
  provider.committed_s += task.expected_s;
  provider.unknown += !expected.known;
  if (provider.tasks.size() <= provider.meta.slots)
    begin(provider, task, now);
  else
    provider.waiting_s += task.expected_s;
  if (provider.tasks.size() > provider.meta.slots)
    prefetching_.emplace(provider.ordinal, &provider);
  provider.last_assigned = ++assignments_;
  ++provider.record->assigned;
  reindex(provider, now);
}

void Providers::take(Provider& provider, QueueEntry& task, Duration now) {
  const auto it = std::ranges::find(provider.tasks, &task);
  GENAI_CHECK(it != provider.tasks.end());
  const auto position = static_cast<std::size_t>(it - provider.tasks.begin());
  provider.tasks.erase(it);
  if (!GENAI_PLANTED(kLoadDrift)) provider.committed_s -= task.expected_s;
  provider.unknown -= !task.expectation_known;
  const std::size_t slots = provider.meta.slots;
  if (position >= slots) {
    provider.waiting_s -= task.expected_s;
  } else {
    provider.executing_due_s -= seconds(task.begun_at) + task.expected_s;
    if (provider.tasks.size() >= slots) {
      QueueEntry& next = *provider.tasks[slots - 1];
      provider.waiting_s -= next.expected_s;
      begin(provider, next, now);
    }
  }
  if (provider.tasks.size() <= slots) prefetching_.erase(provider.ordinal);
  if (provider.tasks.empty())  // what rounding has left must not add up
    provider.committed_s = provider.executing_due_s = provider.waiting_s = 0;
  reindex(provider, now);
}

void Providers::count_success(Provider& provider, Duration now) {
  ++provider.record->completed;
  provider.record->failures = 0;
  provider.record->probation_ends = Duration{0};
  clear_unfit(provider, now);
}

void Providers::count_failure(Provider& provider, Duration now) {
  NodeRecord& record = *provider.record;
  if (++record.failures >= kFailuresToRest)
    record.probation_ends =
        now + doubled(kFirstRest, record.failures - kFailuresToRest, kLongestRest);
  reindex(provider, now);
}

void Providers::count_fault(Provider& provider, Duration now) {
  if (provider.rest_ends() <= now) count_failure(provider, now);
}

void Providers::count_unfit(Provider& provider, std::string reason, Duration now) {
  provider.unfit_reason = std::move(reason);
  if (provider.rest_ends() <= now)
    provider.unfit_until = now + doubled(kFirstRest, provider.unfit++, kLongestRest);
  provider.unfit = std::max(provider.unfit, 1u);
  reindex(provider, now);
}

void Providers::clear_unfit(Provider& provider, Duration now) {
  provider.unfit = 0;
  provider.unfit_until = Duration{0};
  provider.unfit_reason.clear();
  reindex(provider, now);
}

void Providers::count_refusal(Provider& provider, Duration now) {
  if (provider.outstanding() >= provider.meta.slots)
    provider.most_prefetched = provider.outstanding() - provider.meta.slots;
  else
    provider.barred_until = now + doubled(kFirstBarred, provider.refusals++, kBarred);
  reindex(provider, now);
}

void Providers::bar(Provider& provider, Duration now) {
  provider.barred_until = now + kBarred;
  reindex(provider, now);
}

std::string Providers::obstacle(const Provider& provider, const Requirements& needs,
                                double max_cost, Duration now) const {
  if (const Misfit m = misfit(needs, provider.meta); m != Misfit::kNone)
    return "lack " + describe(m, needs);
  if (provider.meta.min_cost > max_cost) return "cost more than max_cost";
  if (provider.reach != Reach::kOnline) return "are " + std::string(name(provider.reach));
  if (provider.record->drained) return "are drained";
  if (provider.rest_ends() > now) return provider.unfit > 0 ? kUnfit : kRests;
  if (provider.barred_until > now) return "refused just now";
  if (provider.outstanding() >= provider.meta.slots) return "are busy";
  if (provider.outstanding() >= capacity(provider)) return "are tried with one task";
  return "";
}

std::string Providers::explain(const Requirements& needs, double max_cost, Duration now) const {
  if (sessions_.empty()) return "no provider is connected";
  struct Who {
    std::size_t count = 0;
    const Provider* last = nullptr;
  };
  std::map<std::string, Who> reasons;
  for (const auto& [session, provider] : sessions_) {
    const std::string reason = obstacle(*provider, needs, max_cost, now);
    Who& who = reasons[reason.empty() ? "are free" : reason];
    ++who.count;
    who.last = provider.get();
  }
  std::string text;
  for (const auto& [reason, who] : reasons) {
    const auto& [count, last] = who;
    if (!text.empty()) text += ", ";
    if (count == 1 && (reason == kUnfit || reason == kRests)) {
      text += rest_of(*last, now);
      continue;
    }
    std::string verb = reason;
    if (count == 1) {  // "1 provider lacks", "1 provider is"
      if (verb.starts_with("lack ") || verb.starts_with("cost ")) verb.insert(4, "s");
      if (verb.starts_with("are ")) verb.replace(0, 3, "is");
    }
    text += fmt::format("{} provider{} {}", count, count == 1 ? "" : "s", verb);
  }
  return text;
}

Provider* Providers::next_due(Duration now) {
  if (deadlines_.empty() || deadlines_.begin()->first.first > now) return nullptr;
  return deadlines_.begin()->second;
}

void Providers::check_invariants() const {
  std::size_t slots = 0, room = 0;
  for (const auto& [session, provider] : sessions_) {
    GENAI_CHECK(provider->session == session);
    GENAI_CHECK(by_index_[provider->index] == provider.get());
    const Place& place = places_[provider->index];
    slots += place.slots;
    room += place.room;
    if (place.room) {
      GENAI_CHECK(provider->reach == Reach::kOnline && !provider->record->drained);
      GENAI_CHECK(provider->outstanding() < capacity(*provider));
    }
    double committed = 0, due = 0, waiting = 0;
    std::size_t unknown = 0;
    for (std::size_t i = 0; i < provider->tasks.size(); ++i) {
      const QueueEntry& task = *provider->tasks[i];
      GENAI_CHECK(task.record->is_assigned());
      GENAI_CHECK(task.record->attempt(task.record->current)->session == session);
      committed += task.expected_s;
      unknown += !task.expectation_known;
      (i < provider->meta.slots ? due : waiting) +=
          task.expected_s + (i < provider->meta.slots ? seconds(task.begun_at) : 0);
    }
    const auto close = [](double a, double b) {
      return std::abs(a - b) <= 1e-6 * (1 + std::abs(b));
    };
    GENAI_CHECK(close(provider->committed_s, committed));
    GENAI_CHECK(close(provider->executing_due_s, due));
    GENAI_CHECK(close(provider->waiting_s, waiting));
    GENAI_CHECK(provider->unknown == unknown);
    GENAI_CHECK(prefetching_.contains(provider->ordinal) ==
                (provider->tasks.size() > provider->meta.slots));
  }
  GENAI_CHECK(slots == slots_online_);
  GENAI_CHECK(room == with_room_);
  GENAI_CHECK(by_index_.size() == sessions_.size() + free_indexes_.size());
}

}  // namespace genai::dispatcher
