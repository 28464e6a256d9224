// The fleet as the dispatcher sees it: sessions the brokers report, what each has been given, and
// the order in which they should be given more.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "dispatcher/config.h"
#include "dispatcher/task.h"
#include "protocol/messages.h"
#include "protocol/time.h"

namespace genai::dispatcher {

/// What outlives a session: the account of a node under its id (part of PrivateMetaInfo).
struct NodeRecord {
  std::uint64_t assigned = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t lost = 0;      // attempts that ended without any word from the node
  bool drained = false;        // by an operator
  std::uint32_t failures = 0;  // attempts in a row that did not complete
  Duration probation_ends{0};  // until then it gets work only when no healthier provider fits
};

enum class Reach : std::uint8_t { kOnline, kSuspect, kDraining, kUnreachable };
std::string_view name(Reach reach);

struct Provider {
  SessionId session;
  NodeId node_id;
  std::size_t broker = 0;  // index of the link it is reached by
  PublicMetaInfo meta;
  Reach reach = Reach::kOnline;
  Duration lost_at = kNever;  // unreachable: when its tasks are requeued
  std::uint64_t since_ms = 0;
  NodeRecord* record = nullptr;

  /// Scheduled or Sent here, in the order of assignment: a node works on the first `slots`.
  std::vector<Task*> tasks;
  /// Aborted here but not yet acknowledged: they still occupy the node.
  struct Zombie {
    ErrorCode code;
    Duration resend_at;
  };
  std::map<AssignmentRef, Zombie> zombies;

  Duration barred_until{0};  // refused or unreachable just now: not asked again before

  std::uint64_t last_assigned = 0;  // a counter, not a time
  std::uint64_t ordinal = 0;        // order of joining: breaks ties the same way in every run

  std::size_t outstanding() const { return tasks.size() + zombies.size(); }
  bool is_executing(const Task& task) const;
};

/// Not thread-safe. After changing anything of a provider that its place depends on, call
/// reindex(). Pick is O(log n) when the least loaded provider fits, O(n) at worst.
class Providers {
 public:
  explicit Providers(const Config& config) : config_(config) {}

  Provider* find(const SessionId& session);
  Provider* find_node(const NodeId& node);
  /// The account of a node, made when it is new.
  NodeRecord& record(const NodeId& node) { return records_[node]; }
  bool knows(const NodeId& node) const { return records_.contains(node); }

  Provider& add(const msg::ProviderEntry& entry, std::size_t broker, const Now& now);
  void remove(Provider& provider);
  void reindex(Provider& provider, Duration now);

  void give(Provider& provider, Task& task, Duration now);
  void take(Provider& provider, Task& task, Duration now);

  void count_success(Provider& provider, Duration now);
  /// After three failures in a row a node is put on probation: 1 s, doubled with each further one
  /// up to 32 s, then one task at a time until one completes.
  void count_failure(Provider& provider, Duration now);
  /// Gives it nothing for a second: what was refused would only be refused again at once.
  void bar(Provider& provider, Duration now);

  /// The least loaded provider that fits and has room: load = outstanding / slots, the longest
  /// unassigned first among equals. Beyond its slots a node is given only `prefetch` more, and only
  /// while `may_prefetch`. Prefers nodes the task has not failed on and nodes not on probation, and
  /// waits for a busy one of those rather than take another. Null: wait.
  Provider* pick(const Task& task, bool may_prefetch);

  /// Why nothing takes a task with these needs now: "3 providers lack model 'sdxl', 1 is full".
  std::string explain(const Requirements& needs) const;

  /// Whether any provider could be picked at all, so that a full fleet costs nothing to ask.
  bool any_room() const { return !ranked_.empty() || !resting_.empty(); }

  /// Ends of probations and of grace for unreachable providers.
  Duration next_deadline() const {
    return deadlines_.empty() ? kNever : deadlines_.begin()->first.first;
  }
  /// A provider whose deadline has come, or null; reindex or remove it.
  Provider* next_due(Duration now);

  std::size_t slots_online() const { return slots_online_; }
  std::size_t size() const { return sessions_.size(); }

  using Sessions = std::unordered_map<SessionId, std::unique_ptr<Provider>>;
  const Sessions& sessions() const { return sessions_; }

  void check_invariants() const;

 private:
  struct Rank {
    std::uint64_t load;  // outstanding / slots, in 2^-20
    std::uint64_t last_assigned;
    std::uint64_t ordinal;
    friend auto operator<=>(const Rank&, const Rank&) = default;
  };
  struct Place {  // what reindex last entered
    Rank rank{};
    bool ranked = false, resting = false;
    std::size_t slots = 0;
    Duration deadline = kNever;
  };

  static Rank rank_of(const Provider& provider);
  std::size_t capacity(const Provider& provider) const;
  void unindex(Provider& provider);
  bool has_healthy_fit(const Task& task) const;

  const Config& config_;
  Sessions sessions_;
  std::unordered_map<NodeId, Provider*> nodes_;
  std::unordered_map<NodeId, NodeRecord> records_;
  std::unordered_map<const Provider*, Place> places_;
  using Ranking = std::map<Rank, Provider*>;
  Ranking ranked_;                                                     // room, online, healthy
  Ranking resting_;                                                    // room, online, on probation
  std::map<std::pair<Duration, std::uint64_t>, Provider*> deadlines_;  // by time, then ordinal
  std::size_t slots_online_ = 0;
  std::uint64_t assignments_ = 0;
  std::uint64_t joins_ = 0;
};

}  // namespace genai::dispatcher
