// The fleet as placement sees it: what each provider is, what it has been given, and how long that
// will take.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "dispatcher/fleet/reach.h"
#include "dispatcher/placement/measures.h"
#include "dispatcher/placement/policy.h"
#include "dispatcher/placement/ranking.h"
#include "protocol/base/time.h"
#include "protocol/wire/public_meta.h"
#include "protocol/wire/task_spec.h"

namespace genai::dispatcher {

struct QueueEntry;

/// What outlives a session: the account of a node under its id
/// (PrivateMetaInfo).
struct NodeRecord {
  std::uint64_t assigned = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t lost = 0;      // attempts that ended without any word from the node
  bool drained = false;        // by an operator
  std::uint32_t failures = 0;  // attempts in a row that did not complete
  Duration probation_ends{0};  // until then it rests: it gets no work
  Account measured;
  bool unsaved = false;  // something changed since it was written
};

struct Provider {
  SessionId session;
  NodeId node_id;
  PublicMetaInfo meta;
  Reach reach = Reach::kOnline;
  std::uint64_t since_ms = 0;
  NodeRecord* record = nullptr;

  /// Scheduled or Sent here, in the order of assignment: a node works on the
  /// first `slots`.
  std::vector<QueueEntry*> tasks;
  std::size_t aborting = 0;  // attempts that were aborted here, and still occupy the node

  Duration barred_until{0};    // refused or unreachable just now: not asked again before
  std::uint32_t refusals = 0;  // in a row that came though it had slots free
  /// Tasks that it takes beyond its slots. A refusal tells.
  std::size_t most_prefetched = SIZE_MAX;

  /// Said that it can run nothing now, so many times in a row, and why.
  std::uint32_t unfit = 0;
  Duration unfit_until{0};
  std::string unfit_reason;

  /// In memory once it has done what it was given, the latest first; what it is able to hold is
  /// taken to be as many as it has ever reported.
  std::vector<ModelId> in_memory;
  std::size_t memory_models = 1;
  bool reports_models = false;
  Duration switched_at{-1};  // when a task was given that needs another model; below 0: never

  /// Of what `tasks` are expected to take, in seconds; Providers keeps them.
  double committed_s = 0;      // all
  double executing_due_s = 0;  // the sum of the times at which the first `slots` should end
  double waiting_s = 0;        // the others
  std::size_t unknown = 0;     // tasks of which nothing was measured

  std::uint64_t last_assigned = 0;  // a counter, not a time
  std::uint64_t ordinal = 0;        // order of joining: breaks ties the same way in every run
  std::size_t index = 0;            // dense, used again once it is free

  std::size_t outstanding() const { return tasks.size() + aborting; }
  /// Until then it gets nothing: too much has failed there. Below `now`: it works like others.
  Duration rest_ends() const { return std::max(record->probation_ends, unfit_until); }
  /// It has failed so much that it gets one task at a time, until one completes.
  bool is_on_trial() const;
  /// What is wrong with it, for people; empty: nothing.
  std::string trouble() const;
  bool holds(ModelId model) const;
  /// All slots are taken by what was measured: its wait ends at a certain time. Else its wait is
  /// what it has to do per slot, and does not change as time passes.
  bool is_timed() const { return unknown == 0 && tasks.size() >= meta.slots; }
  /// Its load: how long what it has been given will still take, per slot. Seconds. What is overdue
  /// is expected to take a quarter of its delay longer, and an eighth of a task at least.
  double wait_s(Duration now) const;
  /// On the mono clock, seconds: until then the end of the wait stays where it is.
  double firm_until() const;
};

/// Not thread-safe. After changing anything of a provider that its place depends on, call
/// reindex(): it is noted in a log of changes from which the rankings catch up.
class Providers {
 public:
  Providers(const PlacementPolicy& policy, Measures& measures)
      : policy_(policy), measures_(measures) {}

  Provider* find(const SessionId& session);
  Provider* find_node(const NodeId& node);
  /// The account of a node, made when it is new.
  NodeRecord& record(const NodeId& node) { return records_[node]; }
  bool knows(const NodeId& node) const { return records_.contains(node); }
  const std::unordered_map<NodeId, NodeRecord>& records() const { return records_; }

  /// Says nothing yet of what the node is: set_meta().
  Provider& add(const SessionId& session, const NodeId& node, const Now& now);
  void remove(Provider& provider);
  void reindex(Provider& provider, Duration now);
  /// The node says what it is; reindexes.
  void set_meta(Provider& provider, const PublicMetaInfo& meta, Duration now);
  /// The node says what is in its memory.
  void set_loaded(Provider& provider, const std::vector<std::string>& models, Duration now);

  void give(Provider& provider, QueueEntry& task, Duration now);
  void take(Provider& provider, QueueEntry& task, Duration now);

  void count_success(Provider& provider, Duration now);
  /// After three failures in a row a node rests: 1 s, doubled with each further one up to 32 s,
  /// then it gets one task at a time until one completes.
  void count_failure(Provider& provider, Duration now);
  /// As above, of one task among several. What ends while the node rests already is part of the
  /// same trouble and does not make the rest longer.
  void count_fault(Provider& provider, Duration now);
  /// The node says that it can run nothing now: it rests likewise, from the first time on.
  void count_unfit(Provider& provider, std::string reason, Duration now);
  /// The node has started anew, so it may be able to run tasks again.
  void clear_unfit(Provider& provider, Duration now);
  /// The node has no room for a task that it was given and that has been taken from it again. One
  /// that has as many as it has slots is given no more than that from then on; else it is not asked
  /// again for a moment, which doubles with each refusal up to a second.
  void count_refusal(Provider& provider, Duration now);
  /// The node took a task.
  void count_acceptance(Provider& provider) { provider.refusals = 0; }
  /// Gives it nothing for a second: what was refused would only be refused again at once.
  void bar(Provider& provider, Duration now);

  // ---- what rankings ask
  const Measures& measures() const { return measures_; }
  Provider* at(std::size_t index) const { return by_index_[index]; }
  std::size_t indexes() const { return by_index_.size(); }
  /// Grows with each change; from 1.
  std::uint64_t version() const { return log_start_ + log_.size(); }
  /// The log of indexes that changed, to be read from change_offset(version) on; null: it is not
  /// kept so far back.
  const std::vector<std::size_t>* changes_since(std::uint64_t version) const {
    return version < log_start_ ? nullptr : &log_;
  }
  std::size_t change_offset(std::uint64_t version) const { return version - log_start_; }
  Ranking::Shelf shelf_of(const Provider& provider, const TaskClass& group, Duration now) const;
  Offer offer(const Provider& provider, const TaskClass& group, Duration now) const;

  /// Why nothing takes such a task now: "3 providers lack model 'sdxl', 1 provider is busy".
  std::string explain(const Requirements& needs, double max_cost, Duration now) const;
  /// As above, of one provider; empty: it could be taken.
  std::string obstacle(const Provider& provider, const Requirements& needs, double max_cost,
                       Duration now) const;

  /// Whether any provider could be picked at all, so that a full fleet costs nothing to ask.
  bool any_room() const { return with_room_ != 0; }
  /// Those with tasks that wait behind others.
  const std::map<std::uint64_t, Provider*>& prefetching() const { return prefetching_; }

  /// Ends of rests.
  Duration next_deadline() const {
    return deadlines_.empty() ? kNever : deadlines_.begin()->first.first;
  }
  /// A provider whose deadline has come, or null; reindex it.
  Provider* next_due(Duration now);

  std::size_t slots_online() const { return slots_online_; }
  std::size_t size() const { return sessions_.size(); }

  using Sessions = std::unordered_map<SessionId, std::unique_ptr<Provider>>;
  const Sessions& sessions() const { return sessions_; }

  void check_invariants() const;

 private:
  struct Place {  // what reindex last entered
    bool room = false;
    std::size_t slots = 0;
    Duration deadline = kNever;
  };

  std::size_t capacity(const Provider& provider) const;
  void unindex(Provider& provider);
  void log_change(std::size_t index);
  double reload_s(const Provider& provider) const;
  void recount(Provider& provider, Duration now);
  void begin(Provider& provider, QueueEntry& task, Duration now);

  const PlacementPolicy& policy_;
  Measures& measures_;
  Sessions sessions_;
  std::unordered_map<NodeId, Provider*> nodes_;
  std::unordered_map<NodeId, NodeRecord> records_;
  std::vector<Provider*> by_index_;  // null: free
  std::vector<std::size_t> free_indexes_;
  std::vector<Place> places_;  // by index
  std::vector<std::size_t> log_;
  std::uint64_t log_start_ = 1;
  std::map<std::pair<Duration, std::uint64_t>, Provider*> deadlines_;  // by time, then ordinal
  std::map<std::uint64_t, Provider*> prefetching_;                     // by ordinal
  std::size_t slots_online_ = 0;
  std::size_t with_room_ = 0;
  std::uint64_t assignments_ = 0;
  std::uint64_t joins_ = 0;
};

}  // namespace genai::dispatcher
