// A client's conversation with the dispatcher, without the socket. Pure (DESIGN.md, point 1):
// submissions are kept until their results have come, and everything unanswered is repeated.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "protocol/base/time.h"
#include "protocol/wire/client.h"

namespace genai::client {

inline constexpr Duration kRepeat = from_ms(5000);  // an unanswered request is sent again
// While tasks are open the dispatcher is asked so often whether it is still the same; it is asked
// after so long a silence whatever is waited for.
inline constexpr Duration kPing = from_ms(5000);
inline constexpr Duration kDead = from_ms(10'000);  // silence after which the connection is renewed
// Between two complaints that the dispatcher watches fewer tasks for us than we wait for.
inline constexpr Duration kRewatch = from_ms(30'000);

struct Effects {
  std::vector<std::string> frames;  // to send, in order
  bool reconnect = false;           // on a fresh connection, before the frames are sent
  std::vector<std::string> notices;
  std::vector<msg::Acceptance> verdicts;  // on submissions
  std::vector<std::variant<msg::Deliver::Entry, msg::Update::Entry>> events;
  std::unordered_map<std::uint64_t, ClientReply> replies;  // to request()
};

/// Not thread-safe. After any call, carry out take_effects().
class SessionCore {
 public:
  /// `acknowledge` false: results are left with the dispatcher for another client to take.
  explicit SessionCore(const Now& now, bool acknowledge = true)
      : acknowledge_(acknowledge), heard_at_(now.mono) {}

  /// Keeps it until its result comes (level none: until it is accepted) and sends it. The same
  /// submission again is sent again; another content for an open id gets kIdConflict here.
  void submit(msg::Submission submission, msg::WatchLevel level, const Now& now);
  /// Whether its id is open here with another content.
  bool conflicts(const msg::Submission& submission) const;
  /// Expects the results of `ids`; with level none no longer. The caller sends the WATCH.
  void watch(const std::vector<TaskId>& ids, msg::WatchLevel level, const Now& now);
  /// The caller has these results safe: the dispatcher may drop their data. Other ids are ignored.
  void acknowledge(const std::vector<TaskId>& ids);
  /// Ends the watches of the results that were handed on and are not acknowledged yet: they are not
  /// repeated, and others come in their place. They stay with the dispatcher until acknowledged.
  void set_aside();
  /// Of these results, those that were handed on stay with the dispatcher: their watches end, and
  /// acknowledging them does nothing.
  void leave(const std::vector<TaskId>& ids);
  /// The dispatcher does not know it. What was submitted here stays: it may be on its way.
  void unwatch(const TaskId& id) {
    if (auto it = open_.find(id); it != open_.end() && !it->second.mine) open_.erase(it);
  }
  /// Sends a query, again and again until its reply is in Effects::replies under the number that
  /// comes back. `message`'s own request number is filled in.
  template <class M>
  std::uint64_t request(M message, const Now& now) {
    message.request = ++last_request_;
    ask(message.request, std::move(message), now);
    return last_request_;
  }
  /// The caller does not wait for this reply any more.
  void forget(std::uint64_t request) { pending_.erase(request); }

  void handle(const Blob& frame, const Now& now);
  void tick(const Now& now);
  Duration next_deadline() const;
  Effects take_effects();

  std::size_t open_tasks() const { return open_.size(); }
  bool is_open(const TaskId& id) const { return open_.contains(id); }
  /// The first thing found wrong, or nothing. O(open tasks).
  std::optional<std::string> check_invariants() const;

 private:
  struct Open {
    msg::Submission submission;  // payload and spec are empty when it is only watched
    bool mine = false;           // submitted here: can be submitted again
    bool accepted = false;
    bool again = false;  // was accepted before, and forgotten
    msg::WatchLevel level = msg::WatchLevel::kResult;
  };
  struct Pending {
    ClientRequest message;
    Duration repeat_at;
  };
  struct Batch {  // a SUBMIT under way
    std::vector<TaskId> ids;
    Duration repeat_at;
  };

  void on(msg::Accepted& message, const Now& now);
  void on(msg::Deliver& message, const Now& now);
  void on(msg::Update& message, const Now& now);
  void on(msg::Pong& message, const Now& now);
  void on(msg::ErrorReply& message, const Now& now);
  std::size_t watched_tasks() const;
  void on(msg::Tasks& message, const Now& now);
  void on(msg::Cancelled& message, const Now&) { on_reply(message); }
  void on(msg::Purged& message, const Now&) { on_reply(message); }
  void on(msg::Reprioritised& message, const Now&) { on_reply(message); }
  void on(msg::NodeList& message, const Now&) { on_reply(message); }
  void on(msg::Stats& message, const Now&) { on_reply(message); }
  void on(msg::Done& message, const Now&) { on_reply(message); }
  template <class M>
  void on_reply(M& message);

  void ask(std::uint64_t number, ClientRequest message, const Now& now);
  void send_unsent(const Now& now);
  void send_batch(std::vector<TaskId> ids, const Now& now);
  void watch_again(const Now& now);
  void end_watches(const std::vector<TaskId>& ids);
  bool submit_again(const TaskId& id);
  void end_refused(msg::Acceptance verdict);
  void end_failed(const TaskId& id, ErrorCode code, const std::string& why);
  void renew(const Now& now);
  bool waits() const { return !open_.empty() || !pending_.empty(); }
  void send(const ClientRequest& message) { effects_.frames.push_back(encode(message)); }

  std::unordered_map<TaskId, Open> open_;
  // Results that were handed on and are not acknowledged: still watched; watched no longer; and
  // those that are never acknowledged, unless they are watched again.
  std::unordered_set<TaskId> held_, aside_, left_;
  std::deque<TaskId> unsent_;                               // to be submitted (again)
  std::map<std::uint64_t, Batch> batches_;                  // by request number
  std::map<std::uint64_t, Pending> pending_;                // by request number
  std::map<std::uint64_t, std::vector<TaskId>> rewatches_;  // WATCHes of our own
  const bool acknowledge_;
  std::uint64_t last_request_ = 0;
  std::uint64_t epoch_ = 0;  // of the dispatcher, once known
  Duration heard_at_;
  Duration pinged_at_{0};
  bool silent_ = false;  // said so
  Duration rewatch_at_{0};
  Effects effects_;
};

}  // namespace genai::client
