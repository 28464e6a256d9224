#include "dispatcher/placement/ranking.h"

#include <cmath>
#include <tuple>

#include "dispatcher/placement/backlog.h"
#include "dispatcher/placement/providers.h"
#include "protocol/base/check.h"

namespace genai::dispatcher {
namespace {

// Building an index of so many is nothing.
constexpr std::size_t kSmallFleet = 256;
constexpr std::size_t kChangesToRebuild = 8;  // of each provider, in a large fleet

/// Free providers within 5 % of each other are equals: what is measured is not more exact, and the
/// longest unassigned gets its turn.
double grade(double seconds) {
  constexpr double kPerLog = 20.5;  // 1 / ln(1.05)
  return std::round(std::log(seconds) * kPerLog);
}

/// What the fleet brings is part of what is expected of each provider.
bool has_moved(const Expectation& from, const Expectation& to, double factor) {
  const auto moved = [&](double a, double b) { return b > a * factor || b < a / factor; };
  return from.known != to.known || moved(from.run_s, to.run_s) || moved(from.load_s, to.load_s) ||
         moved(from.success, to.success);
}

}  // namespace

bool Ranking::Standing::operator<(const Standing& other) const {
  return std::tie(cost, rank, cold, occupancy, last_assigned, ordinal) <
         std::tie(other.cost, other.rank, other.cold, other.occupancy, other.last_assigned,
                  other.ordinal);
}

Ranking::Order& Ranking::order_of(const Entry& entry) {
  switch (entry.shelf) {
    case Shelf::kFree:
      return free_;
    case Shelf::kPrefetch:
      return entry.timed ? prefetch_ : prefetch_still_;
    case Shelf::kFull:
      return entry.timed ? full_ : full_still_;
    default:
      return resting_;
  }
}

Ranking::Shelf Ranking::shelf_of(const Provider& provider) const {
  return provider.index < entries_.size() ? entries_[provider.index].shelf : Shelf::kNone;
}

Ranking::Order::node_type Ranking::remove(Entry& entry) {
  if (entry.shelf == Shelf::kNone) return {};
  if (entry.shelf != Shelf::kResting) {
    --healthy_;
    rate_ = healthy_ == 0 ? 0 : rate_ - entry.standing->rate;
  }
  auto place = order_of(entry).extract(entry.standing);
  entry = {};
  return place;
}

double Ranking::finish_s(const Offer& offer) const {
  const double ratio = group_.key.time_to_money_ratio;
  return offer.finish_s() + (ratio > 0 ? offer.cost / ratio : 0);  // 0 if the ratio is infinite
}

void Ranking::evaluate(Providers& fleet, std::size_t index, Duration now) {
  if (index >= entries_.size()) entries_.resize(index + 1);
  Entry& entry = entries_[index];
  auto place = remove(entry);
  Provider* provider = fleet.at(index);
  if (!provider) return;
  const Shelf shelf = fleet.shelf_of(*provider, group_, now);
  if (shelf == Shelf::kNone) return;

  const Offer offer = fleet.offer(*provider, group_, now);
  entry.shelf = shelf;
  entry.timed = (shelf == Shelf::kPrefetch || shelf == Shelf::kFull) && provider->is_timed();
  Standing standing;
  standing.cost = group_.key.time_to_money_ratio == 0 ? offer.cost : 0;
  standing.finish = finish_s(offer);
  if (entry.timed) standing.finish += seconds(now);
  standing.rank = entry.timed ? standing.finish : grade(standing.finish);
  entry.firm_until = provider->firm_until();
  standing.cold = offer.cold;
  standing.occupancy = (std::uint64_t{provider->outstanding()} << 20) / provider->meta.slots;
  standing.last_assigned = provider->last_assigned;
  standing.ordinal = provider->ordinal;
  standing.provider = provider;
  standing.load_s = offer.load_s;
  standing.rate = provider->meta.slots * offer.success / offer.run_s;
  standing.known = offer.known;
  if (place) {
    place.value() = standing;
    entry.standing = order_of(entry).insert(std::move(place)).position;
  } else {
    entry.standing = order_of(entry).insert(standing).first;
  }
  if (shelf == Shelf::kResting) return;
  ++healthy_;
  rate_ += standing.rate;
}

void Ranking::clear() {
  for (Order* order : {&free_, &prefetch_, &prefetch_still_, &full_, &full_still_, &resting_})
    order->clear();
  entries_.clear();
  healthy_ = 0;
  rate_ = 0;
  seen_ = 0;
}

/// An overdue provider is done later than was thought: never earlier, so only the head matters.
void Ranking::settle_head(Providers& fleet, Order& order, Duration now) {
  while (!order.empty()) {
    const Provider* head = order.begin()->provider;
    if (seconds(now) <= entries_[head->index].firm_until) return;
    evaluate(fleet, head->index, now);
    if (!order.empty() && order.begin()->provider == head) return;
  }
}

void Ranking::refresh(Providers& fleet, Duration now) {
  const auto* changes = fleet.changes_since(seen_);
  if (const std::uint64_t version = fleet.measures().version(); measured_ != version) {
    present_ = fleet.measures().expect(group_.model, group_.key.size);
    measured_ = version;
  }
  // The mean of a fleet of different speeds sways by a tenth all the time, and that of short tasks
  // by more. Building a large index costs less than the changes themselves only if there were
  // several of each provider; until then those that change are looked at again anyway, and the
  // others wait for a mean that is far off.
  const bool is_young = entries_.size() > kSmallFleet &&
                        fleet.version() - built_ < kChangesToRebuild * entries_.size();
  if (!changes || has_moved(prior_, present_, is_young ? 4 : 1.1)) {
    clear();
    prior_ = present_;
    built_ = fleet.version();
    for (std::size_t i = 0; i < fleet.indexes(); ++i) evaluate(fleet, i, now);
  } else {
    for (std::size_t i = fleet.change_offset(seen_); i < changes->size(); ++i) {
      // The end of a task and the begin of the next one are noted one by one.
      const bool again = i + 1 < changes->size() && (*changes)[i + 1] == (*changes)[i];
      if (!again) evaluate(fleet, (*changes)[i], now);
    }
  }
  seen_ = fleet.version();
  settle_head(fleet, prefetch_, now);
  settle_head(fleet, full_, now);
}

void Ranking::check_invariants(const Providers& fleet) const {
  std::size_t healthy = 0, entered = 0;
  for (const Entry& entry : entries_) {
    if (entry.shelf == Shelf::kNone) continue;
    ++entered;
    healthy += entry.shelf != Shelf::kResting;
    if (seen_ != fleet.version()) continue;
    GENAI_CHECK(fleet.at(entry.standing->provider->index) == entry.standing->provider);
  }
  GENAI_CHECK(healthy == healthy_);
  GENAI_CHECK(entered == free_.size() + prefetch_.size() + prefetch_still_.size() + full_.size() +
                             full_still_.size() + resting_.size());
}

}  // namespace genai::dispatcher
