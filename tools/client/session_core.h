// A client's conversation with the dispatcher, without the socket. Pure: no clock, no
// socket. Submissions are kept until their results have come, and everything unanswered is
// repeated.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/base/blob.h"
#include "protocol/base/log_event.h"
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

/// Use: handle() what is asked for and what comes, expire() when it is due, and after either do
/// what take_events() returns, in that order. `now` never goes back between calls; only its mono
/// part is read. Not thread-safe. Pure.
class SessionCore {
 public:
  // ---- Events in.

  /// A message of the dispatcher.
  struct Frame {
    Blob bytes;
  };
  /// Keeps the submission until its result comes (level none: until it is accepted) and sends it.
  /// The same submission again is sent again; another content for an open id gets kIdConflict here.
  struct Submit {
    msg::Submission submission;
    msg::WatchLevel level;
  };
  /// Expects the results of these tasks; with level none no longer. The caller asks WATCH itself.
  struct Watch {
    std::vector<TaskId> ids;
    msg::WatchLevel level;
  };
  /// The dispatcher does not know this task: it is not watched any more. A task that was submitted
  /// here stays: it may be on its way.
  struct Unknown {
    TaskId id;
  };
  /// The caller has these results safe: the dispatcher may drop their data. Other ids are ignored.
  struct Acknowledge {
    std::vector<TaskId> ids;
  };
  /// Ends the watches of the results that were handed on and are not acknowledged yet: they are not
  /// repeated, and others come in their place. They stay with the dispatcher until acknowledged.
  struct SetAside {};
  /// Those of these results that were handed on stay with the dispatcher: their watches end, and
  /// acknowledging them does nothing.
  struct Leave {
    std::vector<TaskId> ids;
  };
  /// Sends a question, again and again until its Reply has come. The message gets a request number
  /// here.
  struct Ask {
    ClientRequest message;
  };
  /// The caller does not wait for this reply any more.
  struct GiveUp {
    std::uint64_t request;
  };

  // ---- Events out.

  /// Close the connection and make a new one. What was not sent on the old one is void.
  struct Reconnect {};
  /// To the dispatcher.
  struct Send {
    std::string frame;
  };
  /// To the Ask that has this number.
  struct Reply {
    std::uint64_t request;
    ClientReply message;
  };
  /// Of those that only carry on what came: an Acceptance is the verdict on a submission, a
  /// Deliver::Entry a result, which comes once, an Update::Entry news of an open task.
  using Event = std::variant<Reconnect, Send, Reply, msg::Acceptance, msg::Deliver::Entry,
                             msg::Update::Entry, LogEvent>;

  /// `acknowledge` false: results are left with the dispatcher for another client to take.
  explicit SessionCore(const Now& now, bool acknowledge = true)
      : acknowledge_(acknowledge), heard_at_(now.mono) {}

  void handle(const Frame& frame, const Now& now);
  void handle(Submit submit, const Now& now);
  void handle(const Watch& watch, const Now& now);
  void handle(const Unknown& unknown, const Now& now);
  void handle(const Acknowledge& acknowledge, const Now& now);
  void handle(SetAside, const Now& now);
  void handle(const Leave& leave, const Now& now);
  /// Returns the number of the Reply.
  std::uint64_t handle(Ask ask, const Now& now);
  void handle(GiveUp give_up, const Now& now);
  /// Repeats what has no answer, and judges silence.
  void expire(const Now& now);
  /// On the mono clock; 0 while events wait to be taken.
  Duration next_deadline() const;
  std::vector<Event> take_events() { return std::exchange(events_, {}); }
  /// Aborts when it contradicts itself. O(open tasks).
  void check() const;

  /// Whether its id is open here with another content.
  bool conflicts(const msg::Submission& submission) const;
  std::size_t open_tasks() const { return open_.size(); }
  bool is_open(const TaskId& id) const { return open_.contains(id); }

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
  void on(msg::Deleted& message, const Now&) { on_reply(message); }
  void on(msg::Fetched& message, const Now&) { on_reply(message); }
  void on(msg::Reprioritised& message, const Now&) { on_reply(message); }
  void on(msg::NodeList& message, const Now&) { on_reply(message); }
  void on(msg::Stats& message, const Now&) { on_reply(message); }
  void on(msg::Done& message, const Now&) { on_reply(message); }
  template <class M>
  void on_reply(M& message);
  bool is_fetch(std::uint64_t request) const;

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
  void send(const ClientRequest& message) { events_.push_back(Send{encode(message)}); }
  void note(LogEvent::Level level, std::string text,
            std::vector<std::pair<std::string, Value>> fields = {});

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
  std::vector<Event> events_;
};

}  // namespace genai::client
