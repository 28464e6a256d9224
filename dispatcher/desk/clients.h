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

#include "dispatcher/desk/limits.h"
#include "dispatcher/tasks/handle.h"
#include "dispatcher/tasks/task.h"
#include "protocol/base/identity.h"
#include "protocol/base/time.h"
#include "protocol/wire/client.h"

namespace genai::dispatcher {

/// A client exists here while it watches something. forget() a task before it
/// is erased. Not thread-safe.
class Clients {
 public:
  explicit Clients(Duration resend) : resend_(resend) {}

  /// `key`: of the peer's connection, or empty.
  void watch(const std::string& peer, const std::string& key, msg::WatchLevel level, Task& task);
  void unwatch(const std::string& peer, const Task& task);
  bool is_watched(const Task& task) const { return first_of(task.handle) != kNone; }
  std::size_t watchers(const Task& task) const;
  /// Calls `f` with each peer that watches the task and the level, in the order
  /// in which they came.
  template <class F>
  void each_watcher(const Task& task, F f) const {
    for (WatchId id = first_of(task.handle); id != kNone; id = watches_[id].next_of_task)
      f(*watches_[id].client->peer, watches_[id].level);
  }
  void forget(TaskHandle task);

  /// A client has said that it has the result of the task.
  void acknowledge(const Task& task) { rows_[task.handle].acknowledged = true; }
  bool is_acknowledged(const Task& task) const {
    const Row* const row = rows_.find(task.handle);
    return row && row->acknowledged;
  }

  /// Forgets the client and returns what it watched.
  std::vector<Task*> remove(const std::string& peer);

  /// The result of the task should go to the peer, now or when its window has room; no change when
  /// it waits for that, or is on its way, already.
  void enqueue(const std::string& peer, Task& task);
  /// The task has ended: the same, to each that watches it.
  void enqueue(Task& task);
  /// The next result to send to a peer, if its window has room; call until it
  /// returns nothing. The caller says by sent() how large it was, or by
  /// unwatch() that it is gone.
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
    return it == clients_.end() ? 0 : it->second.watched;
  }
  bool is_idle() const;
  std::vector<std::string> peers() const;
  /// Those that came with one of the keys; O(clients).
  std::vector<std::string> peers_with(const KeySet& keys) const;

 private:
  using Sequence = std::uint64_t;  // of a task: never used twice, and cheap to look up
  using WatchId = std::uint32_t;
  static constexpr WatchId kNone = UINT32_MAX;
  struct Queued {
    Sequence sequence;
    TaskHandle task;
  };
  struct Client {
    const std::string* peer = nullptr;  // never null: its name in clients_
    std::string key;
    WatchId first = kNone;
    std::size_t watched = 0;
    std::deque<Queued> queue;         // may hold what is not watched any more
    tsl::robin_set<Sequence> queued;  // what is in it: each once
    struct Sent {
      std::size_t bytes;
      Duration at;
      TaskHandle task;
    };
    tsl::robin_map<Sequence, Sent> unacked;
    std::deque<std::pair<Duration, Sequence>> sent;  // in order; may hold what is not unacked
    std::size_t unacked_bytes = 0;
    Duration resend_at = kNever;
    unsigned resends = 0;
  };
  /// That a client watches a task: in the list of each.
  struct Watch {
    Task* task;
    Client* client;
    WatchId next_of_task, next_of_client, previous_of_client;
    msg::WatchLevel level;
  };
  struct Row {
    WatchId first = kNone;
    bool acknowledged = false;
  };
  WatchId first_of(TaskHandle task) const {
    const Row* const row = rows_.find(task);
    return row ? row->first : kNone;
  }
  Client& client_of(const std::string& peer);
  Client* find(const std::string& peer);
  /// kNone: it does not watch the task.
  WatchId find(const Client& client, TaskHandle task) const;
  WatchId add(Client& client, msg::WatchLevel level, Task& task);
  void erase(WatchId id);
  void unwatch(Client& client, const Task& task);
  void enqueue(Client& client, const Task& task);
  bool is_waiting(const Client& client, const Queued& queued) const;
  void set_deadline(Client& client, Duration at);
  static void drop_acknowledged(Client& client);
  void forget_unacked(Client& client, Sequence sequence);

  Duration resend_;
  std::unordered_map<std::string, Client> clients_;
  Client* asked_for_ = nullptr;  // the last one, or null: mostly the next one is the same
  std::deque<Watch> watches_;
  WatchId free_ = kNone;  // a list by next_of_task
  ByHandle<Row> rows_;
  std::map<Duration, std::unordered_set<std::string>> deadlines_;
  std::unordered_set<std::string> ready_;
};

}  // namespace genai::dispatcher
