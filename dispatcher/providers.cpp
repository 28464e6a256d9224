#include "dispatcher/providers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "dispatcher/check.h"
#include "dispatcher/fit.h"

namespace genai::dispatcher {
namespace {

constexpr std::uint64_t kLoadOne = 1u << 20;
constexpr std::uint32_t kFailuresToRest = 3;
constexpr std::uint32_t kMaxDoublings = 5;
constexpr Duration kBarred = from_ms(1000);
// Accounts of nodes that are gone. A fleet of volunteers brings ever new names.
constexpr std::size_t kMaxRecords = 100'000;

}  // namespace

std::string_view name(Reach reach) {
  static constexpr std::array<std::string_view, 4> kNames = {"online", "suspect", "draining",
                                                             "unreachable"};
  return kNames[static_cast<std::size_t>(reach)];
}

bool Provider::is_executing(const Task& task) const {
  std::size_t position = 0;
  for (const Task* t : tasks) {
    if (t->status != TaskStatus::kSent) continue;
    if (t == &task) return position < meta.slots;
    ++position;
  }
  return false;
}

Provider* Providers::find(const SessionId& session) {
  auto it = sessions_.find(session);
  return it == sessions_.end() ? nullptr : it->second.get();
}

Provider* Providers::find_node(const NodeId& node) {
  auto it = nodes_.find(node);
  return it == nodes_.end() ? nullptr : it->second;
}

Provider& Providers::add(const msg::ProviderEntry& entry, std::size_t broker, const Now& now) {
  auto owned = std::make_unique<Provider>();
  Provider& provider = *owned;
  provider.session = entry.session;
  provider.node_id = entry.node_id;
  provider.broker = broker;
  provider.meta = entry.meta;
  provider.since_ms = to_ms(now.wall);
  provider.record = &records_[entry.node_id];
  provider.ordinal = ++joins_;
  sessions_.emplace(entry.session, std::move(owned));
  nodes_[entry.node_id] = &provider;
  return provider;
}

void Providers::remove(Provider& provider) {
  GENAI_CHECK(provider.tasks.empty());
  unindex(provider);
  if (find_node(provider.node_id) == &provider) {
    nodes_.erase(provider.node_id);
    if (records_.size() > kMaxRecords && !provider.record->drained)
      records_.erase(provider.node_id);
  }
  sessions_.erase(SessionId(provider.session));
}

Providers::Rank Providers::rank_of(const Provider& provider) {
  return {provider.outstanding() * kLoadOne / provider.meta.slots, provider.last_assigned,
          provider.ordinal};
}

std::size_t Providers::capacity(const Provider& provider) const {
  if (provider.record->failures >= kFailuresToRest) return 1;  // on trial
  return std::size_t{provider.meta.slots} + config_.prefetch;
}

void Providers::unindex(Provider& provider) {
  auto it = places_.find(&provider);
  if (it == places_.end()) return;
  const Place& place = it->second;
  if (place.ranked) ranked_.erase(place.rank);
  if (place.resting) resting_.erase(place.rank);
  if (place.deadline != kNever) deadlines_.erase({place.deadline, provider.ordinal});
  slots_online_ -= place.slots;
  places_.erase(it);
}

void Providers::reindex(Provider& provider, Duration now) {
  unindex(provider);
  Place place;
  const bool rests = provider.record->probation_ends > now;
  if (provider.reach == Reach::kOnline && !provider.record->drained) {
    place.slots = provider.meta.slots;
    place.rank = rank_of(provider);
    const bool room = provider.outstanding() < capacity(provider);
    const bool barred = provider.barred_until > now;
    place.ranked = room && !rests && !barred;
    place.resting = room && rests && !barred;
    if (rests) place.deadline = provider.record->probation_ends;
    if (barred) place.deadline = std::min(place.deadline, provider.barred_until);
  }
  if (provider.reach == Reach::kUnreachable) place.deadline = provider.lost_at;

  if (place.ranked) ranked_.emplace(place.rank, &provider);
  if (place.resting) resting_.emplace(place.rank, &provider);
  if (place.deadline != kNever)
    deadlines_.emplace(std::pair{place.deadline, provider.ordinal}, &provider);
  slots_online_ += place.slots;
  places_.emplace(&provider, place);
}

void Providers::give(Provider& provider, Task& task, Duration now) {
  provider.tasks.push_back(&task);
  provider.last_assigned = ++assignments_;
  ++provider.record->assigned;
  reindex(provider, now);
}

void Providers::take(Provider& provider, Task& task, Duration now) {
  const auto erased = std::erase(provider.tasks, &task);
  GENAI_CHECK(erased == 1);
  reindex(provider, now);
}

void Providers::count_success(Provider& provider, Duration now) {
  ++provider.record->completed;
  provider.record->failures = 0;
  provider.record->probation_ends = Duration{0};
  reindex(provider, now);
}

void Providers::count_failure(Provider& provider, Duration now) {
  NodeRecord& record = *provider.record;
  if (++record.failures >= kFailuresToRest)
    record.probation_ends =
        now + from_ms(1000ull << std::min(record.failures - kFailuresToRest, kMaxDoublings));
  reindex(provider, now);
}

void Providers::bar(Provider& provider, Duration now) {
  provider.barred_until = now + kBarred;
  reindex(provider, now);
}

Provider* Providers::pick(const Task& task, bool may_prefetch) {
  Provider* avoided = nullptr;
  for (const Ranking* ranking : {&ranked_, &resting_}) {
    for (const auto& [rank, provider] : *ranking) {
      if (rank.load >= kLoadOne && !may_prefetch) break;
      if (misfit(task.spec.needs, provider->meta) != Misfit::kNone) continue;
      if (ranking == &ranked_ && !task.failed_on(provider->node_id)) return provider;
      if (!avoided) avoided = provider;
    }
  }
  // Only second choices have room. Wait when a first choice exists and is merely busy.
  return avoided && !has_healthy_fit(task) ? avoided : nullptr;
}

bool Providers::has_healthy_fit(const Task& task) const {
  return std::ranges::any_of(sessions_, [&](const auto& entry) {
    const Provider& p = *entry.second;
    return p.reach == Reach::kOnline && !p.record->drained && p.outstanding() > 0 &&
           p.record->failures < kFailuresToRest && !task.failed_on(p.node_id) &&
           misfit(task.spec.needs, p.meta) == Misfit::kNone;
  });
}

std::string Providers::explain(const Requirements& needs) const {
  if (sessions_.empty()) return "no provider is connected";
  std::map<std::string, std::size_t> reasons;
  for (const auto& [session, provider] : sessions_) {
    if (const Misfit m = misfit(needs, provider->meta); m != Misfit::kNone)
      ++reasons["lack " + describe(m, needs)];
    else if (provider->reach != Reach::kOnline)
      ++reasons["are " + std::string(name(provider->reach))];
    else if (provider->record->drained)
      ++reasons["are drained"];
    else
      ++reasons["are busy"];
  }
  std::string text;
  for (const auto& [reason, count] : reasons) {
    if (!text.empty()) text += ", ";
    std::string verb = reason;
    if (count == 1) {  // "1 provider lacks", "1 provider is"
      if (verb.starts_with("lack ")) verb.insert(4, "s");
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
  std::size_t slots = 0;
  for (const auto& [session, provider] : sessions_) {
    GENAI_CHECK(provider->session == session);
    GENAI_CHECK(places_.contains(provider.get()));
    const Place& place = places_.at(provider.get());
    slots += place.slots;
    if (place.ranked || place.resting) {
      GENAI_CHECK(provider->reach == Reach::kOnline && !provider->record->drained);
      GENAI_CHECK(place.rank == rank_of(*provider));
      GENAI_CHECK(provider->outstanding() < capacity(*provider));
    }
    for (const Task* task : provider->tasks) {
      GENAI_CHECK(task->is_assigned());
      GENAI_CHECK(task->attempt(task->current)->session == session);
    }
  }
  GENAI_CHECK(slots == slots_online_);
  GENAI_CHECK(places_.size() == sessions_.size());
}

}  // namespace genai::dispatcher
