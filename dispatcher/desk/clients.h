// The clients' side of the promise: who wants which result, what is on its way, what is due again.
#pragma once

#include <tsl/robin_map.h>
#include <tsl/robin_set.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "dispatcher/tasks/task.h"
#include "protocol/base/identity.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// A client that does not acknowledge is sent no more than this; the rest waits here.
inline constexpr std::size_t kWindowResults = 1024;                 // limit
inline constexpr std::size_t kWindowBytes = std::size_t{64} << 20;  // limit

/// A client exists here while it watches something. What is watched must be unwatched before it is
/// erased. Not thread-safe.
class Clients {
 public:
  explicit Clients(Duration resend) : resend_(resend) {}

  /// `key`: of the peer's connection, or empty.
  void watch(const std::string& peer, const std::string& key, Task& task);
  void unwatch(const std::string& peer, const Task& task);

  /// Forgets the client and returns what it watched.
  std::vector<Task*> remove(const std::string& peer);

  /// The result of the task should go to the peer, now or when its window has room; no change when
  /// it waits for that, or is on its way, already.
  void enqueue(const std::string& peer, Task& task);
  /// The next result to send to a peer, if its window has room; call until it returns nothing. The
  /// caller says by sent() how large it was, or by unwatch() that it is gone.
  Task* next(const std::string& peer);
  void sent(const std::string& peer, const Task& task, std::size_t bytes, Duration now);
  /// The result arrived: frees its place in the window and ends the watch.
  void acknowledged(const std::string& peer, const Task& task) { unwatch(peer, task); }

  /// Clients that have something to send after a change; emptied by the call.
  std::vector<std::string> take_ready();
  /// Results whose acknowledgement is overdue go to the front of the queue again, less and less
  /// often (up to 12 times the first interval).
  void tick(Duration now);
  Duration next_deadline() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }

  std::size_t size() const { return clients_.size(); }
  /// Whether the peer is known under another key.
  bool is_anothers(const std::string& peer, std::string_view key) const {
    const auto it = clients_.find(peer);
    return it != clients_.end() && it->second.key != key;
  }
  /// Whether the result was sent to the peer, and not acknowledged yet.
  bool is_on_its_way(const std::string& peer, const Task& task) const {
    const auto it = clients_.find(peer);
    return it != clients_.end() && it->second.unacked.contains(task.sequence);
  }
  /// Tasks that the peer watches.
  std::size_t watched(const std::string& peer) const {
    const auto it = clients_.find(peer);
    return it == clients_.end() ? 0 : it->second.watched.size();
  }
  bool is_idle() const;
  std::vector<std::string> peers() const;
  /// Those that came with one of the keys; O(clients).
  std::vector<std::string> peers_with(const KeySet& keys) const;

 private:
  using Sequence = std::uint64_t;  // of a task: never used twice, and cheap to look up
  struct Client {
    std::string key;
    tsl::robin_map<Sequence, Task*> watched;
    std::deque<Sequence> queue;       // may hold what is not watched any more
    tsl::robin_set<Sequence> queued;  // what is in it: each once
    struct Sent {
      std::size_t bytes;
      Duration at;
    };
    tsl::robin_map<Sequence, Sent> unacked;
    std::deque<std::pair<Duration, Sequence>> sent;  // in order; may hold what is not unacked
    std::size_t unacked_bytes = 0;
    Duration resend_at = kNever;
    unsigned resends = 0;
  };
  void set_deadline(const std::string& peer, Client& client, Duration at);
  static void drop_acknowledged(Client& client);
  void forget_unacked(const std::string& peer, Client& client, Sequence sequence);

  Duration resend_;
  std::unordered_map<std::string, Client> clients_;
  std::map<Duration, std::unordered_set<std::string>> deadlines_;
  std::unordered_set<std::string> ready_;
};

}  // namespace genai::dispatcher
