// The clients' side of the promise: who wants which result, what is on its way, what is due again.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "protocol/ids.h"
#include "protocol/time.h"

namespace genai::dispatcher {

/// A client that does not acknowledge is sent no more than this; the rest waits here.
inline constexpr std::size_t kWindowResults = 1024;
inline constexpr std::size_t kWindowBytes = std::size_t{64} << 20;

/// Holds ids only. A client exists here while it watches something. Not thread-safe.
class Clients {
 public:
  explicit Clients(Duration resend) : resend_(resend) {}

  void watch(const std::string& peer, const TaskId& id);
  void unwatch(const std::string& peer, const TaskId& id);

  /// Forgets the client and returns what it watched.
  std::vector<TaskId> remove(const std::string& peer);

  /// The result of `id` should go to the peer, now or when its window has room.
  void enqueue(const std::string& peer, const TaskId& id);
  /// The next result to send to a peer, if its window has room; call until it returns nothing. The
  /// caller says by sent() how large it was, or by unwatch() that it is gone.
  const TaskId* next(const std::string& peer);
  void sent(const std::string& peer, const TaskId& id, std::size_t bytes, Duration now);
  /// The result arrived: frees its place in the window and ends the watch.
  void acknowledged(const std::string& peer, const TaskId& id) { unwatch(peer, id); }

  /// Clients that have something to send after a change; emptied by the call.
  std::vector<std::string> take_ready();
  /// Results whose acknowledgement is overdue go to the front of the queue again, less and less
  /// often (up to 12 times the first interval).
  void tick(Duration now);
  Duration next_deadline() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }

  std::size_t size() const { return clients_.size(); }
  bool is_idle() const;

 private:
  struct Client {
    std::unordered_set<TaskId> watched;
    std::deque<TaskId> queue;  // may hold ids no longer watched
    struct Sent {
      std::size_t bytes;
      Duration at;
    };
    std::unordered_map<TaskId, Sent> unacked;
    std::deque<std::pair<Duration, TaskId>>
        sent;  // in order; may hold what is not unacked any more
    std::size_t unacked_bytes = 0;
    Duration resend_at = kNever;
    unsigned resends = 0;
  };
  void set_deadline(const std::string& peer, Client& client, Duration at);
  static void drop_acknowledged(Client& client);
  void forget_unacked(const std::string& peer, Client& client, const TaskId& id);

  Duration resend_;
  std::unordered_map<std::string, Client> clients_;
  std::map<Duration, std::unordered_set<std::string>> deadlines_;
  std::unordered_set<std::string> ready_;
};

}  // namespace genai::dispatcher
