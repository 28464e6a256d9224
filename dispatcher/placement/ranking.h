// The providers that fit one class of tasks, in the order in which it should go to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "dispatcher/placement/measures.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

struct Provider;
class Providers;
struct TaskClass;

inline double seconds(Duration d) { return static_cast<double>(d.count()) / 1e6; }

/// What a class of tasks can expect of a provider now. Seconds.
struct Offer {
  double wait_s = 0;   // until what it has been given is done, per slot
  double load_s = 0;   // of the model, if it is not in memory by then
  double run_s = 0;    // mean
  double success = 1;  // ratio: (load + run) / success is what a result takes
  double cost = 0;     // what it asks for
  bool cold = false;
  bool known = false;  // such tasks were measured

  double service_s() const { return (load_s + run_s) / success; }
  double finish_s() const { return wait_s + service_s(); }
};

/// Not thread-safe. Pure.
///
/// An ordered index (std::set) per class, kept up to date from the fleet's log of changes: a change
/// costs O(log n) for each class that looks afterwards, the best provider costs O(1). Waits are
/// kept as the absolute times at which they end, since those do not change while time passes; the
/// one that does, of a provider that is overdue, only grows, so the head of the index is looked at
/// again before it is believed (lazy evaluation of lower bounds; Minoux, "Accelerated greedy
/// algorithms for maximizing submodular set functions", 1978).
class Ranking {
 public:
  /// Where a provider stands for a class; each shelf has its own order.
  enum class Shelf : std::uint8_t {
    kNone,      // does not fit, or is not online
    kFree,      // has a free slot
    kPrefetch,  // all slots are taken, and there is room for one that waits
    kFull,
    kResting,  // fits, and gets nothing now: too much has failed there
  };

  struct Standing {
    double cost = 0;    // counts before time: time_to_money_ratio is 0
    double rank = 0;    // orders: a grade of `finish`, or `finish` itself if that is a time
    double finish = 0;  // seconds from now (kFree, kResting, unknown work), else on the mono clock
    bool cold = false;
    std::uint64_t occupancy = 0;  // outstanding / slots, in 2^-20
    std::uint64_t last_assigned = 0;
    std::uint64_t ordinal = 0;

    Provider* provider = nullptr;
    double load_s = 0;
    double rate = 0;  // results per second, with all slots
    bool known = false;

    bool operator<(const Standing& other) const;
  };
  using Order = std::set<Standing>;

  explicit Ranking(const TaskClass& group) : group_(group) {}

  /// Catches up with the fleet; then the orders are right as of `now`.
  void refresh(Providers& fleet, Duration now);
  /// Drops everything: it will be built anew.
  void clear();

  const Order& free() const { return free_; }
  /// Those that work on what is not known are apart: their order does not depend on time.
  const Order& prefetch(bool timed) const { return timed ? prefetch_ : prefetch_still_; }
  const Order& full(bool timed) const { return timed ? full_ : full_still_; }
  /// Whoever is first is not sure to be the best.
  const Order& resting() const { return resting_; }
  Shelf shelf_of(const Provider& provider) const;
  /// Seconds from now until it is done, and what it costs in seconds: what a standing was when it
  /// was looked at. Only the head of an order is sure to be as of now; behind it are some that are
  /// done later than it says.
  double finish_s(const Offer& offer) const;
  /// Fitting, online and not resting, whatever they have to do.
  std::size_t healthy() const { return healthy_; }
  /// Results per second that those could bring, were they all free.
  double rate() const { return rate_; }
  std::size_t size() const { return entries_.size(); }

  void check_invariants(const Providers& fleet) const;

 private:
  struct Entry {
    Shelf shelf = Shelf::kNone;
    bool timed = false;
    Order::const_iterator standing;  // if on a shelf
    double firm_until = 0;           // mono clock, seconds: from then on `finish` grows
  };

  Order& order_of(const Entry& entry);
  void evaluate(Providers& fleet, std::size_t index, Duration now);
  /// Returns its place, to be filled again.
  Order::node_type remove(Entry& entry);
  void settle_head(Providers& fleet, Order& order, Duration now);

  const TaskClass& group_;
  std::vector<Entry> entries_;  // by Provider::index
  Order free_, prefetch_, prefetch_still_, full_, full_still_, resting_;
  std::size_t healthy_ = 0;
  double rate_ = 0;
  Expectation prior_;           // of a newcomer, as of the last building
  Expectation present_;         // likewise, as of `measured_`
  std::uint64_t measured_ = 0;  // version of the measures
  std::uint64_t built_ = 0;     // version of the fleet when it was built anew
  std::uint64_t seen_ = 0;      // version of the fleet; 0: nothing built
};

}  // namespace genai::dispatcher
