// The node's side of a session without its socket, threads and clock (SPEC.md, "Node session").
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "genai/node.h"
#include "protocol/base/blob.h"
#include "protocol/base/time.h"
#include "protocol/wire/node.h"
#include "tools/node/outbox.h"
#include "tools/node/report.h"

namespace genai::node {

/// Before the first WELCOME names the broker's.
inline constexpr Duration kDefaultHeartbeat = from_ms(1000);
inline constexpr Duration kDefaultLost = from_ms(5000);
/// An unacknowledged result is sent again after this, and a second more for each MiB: a slow line
/// must not be filled with copies.
inline constexpr Duration kResendResult = from_ms(5000);
inline constexpr Duration kProgressInterval = from_ms(100);  // per task
inline constexpr Duration kMinRefusedBackoff = from_ms(1000);
inline constexpr Duration kMaxRefusedBackoff = from_ms(30'000);
/// While another process has the node id: that may just have been killed, or leave at any moment.
inline constexpr Duration kMinInUseBackoff = from_ms(200);
inline constexpr Duration kMaxInUseBackoff = from_ms(5000);
inline constexpr Duration kMinUnsentBackoff = from_ms(20);
inline constexpr Duration kNoticeAgain = from_ms(60'000);  // what goes on is told of again
inline constexpr Duration kByeWait = from_ms(2000);
inline constexpr Duration kForceWait = from_ms(2000);  // for the acknowledgements
/// So long a leaving node lets its executions go on while no broker could abort them: the time
/// limit of a task that names none.
inline constexpr Duration kLonelyRun = from_ms(600'000);

struct CoreConfig {
  NodeId node_id;
  SessionId session;  // random, of this process
  PublicMetaInfo meta;
  Duration drain_timeout = from_ms(30'000);  // see NodeConfig
};

/// Use, in each pass of the loop: handle() what has come, expire(), and then do what take_events()
/// returns, in that order. `now` never goes back between calls; only its mono part is read. Frames
/// and starts come out of expire() alone, so that what arrived together leaves together. After the
/// RunEnd every call does nothing.
/// Not thread-safe. Pure.
class SessionCore {
 public:
  // ---- Events in: these, and the reports.

  /// A message of the broker; an empty one stands for one of the wrong shape.
  struct Frame {
    Blob bytes;
  };
  /// The transport did not take a frame.
  struct Unsent {};
  /// Fault injection: forget an assignment without a word.
  struct Drop {
    AssignmentRef ref;
  };

  // ---- Events out.

  /// Close the connection and make a new one.
  struct Reconnect {};
  /// To the broker.
  struct Send {
    std::string frame;
  };
  /// Run this now: there is a free slot. Report::Finished follows.
  struct Start {
    AssignmentRef ref;
    TaskSpec spec;
    Blob payload;
  };
  /// Tell this execution to end; it still takes its slot until Report::Finished.
  struct Stop {
    AssignmentRef ref;
  };
  /// With the RunEnd nothing more will come.
  using Event = std::variant<Reconnect, Send, Start, Stop, node::Event, RunEnd>;

  SessionCore(CoreConfig config, const Now& started);

  void handle(const Frame& frame, const Now& now);
  void handle(Unsent, const Now& now);
  void handle(const Drop& drop, const Now& now);
  void handle(const Report::Progress& progress, const Now& now);
  void handle(Report::Finished finished, const Now& now);
  void handle(const Report::Leave& leave, const Now& now);
  void handle(Report::Force, const Now& now);
  void handle(Report::LoadedModels loaded, const Now& now);
  /// Judges silence, so the socket must have been drained before.
  void expire(const Now& now);
  /// On the mono clock.
  Duration next_deadline() const;
  std::vector<Event> take_events() { return std::exchange(events_, {}); }
  /// Aborts when it contradicts itself. O(held).
  void check() const;

  std::vector<AssignmentRef> held() const;
  bool joined() const { return phase_ == Phase::kJoined; }

 private:
  enum class Phase { kJoining, kJoined, kBye, kEnded };

  struct Held {
    enum class State {
      kQueued,
      kRunning,
      kStopping,  // aborted: acknowledged when the execution has ended
      kFinished,  // the result waits for its acknowledgement
    };
    AssignmentRef ref;
    State state = State::kQueued;
    ErrorCode abort_code = ErrorCode::kOk;  // of a kStopping one
    TaskSpec spec;                          // of a queued one; likewise the payload
    Blob payload;
    Duration started{0};
    Duration limit{0};                             // of its execution; 0: none
    bool is_over_time = false;                     // told to stop for that, and still running
    std::optional<msg::Progress::Entry> progress;  // not sent yet
    Duration progress_from{0};                     // earliest time for the next one
    msg::Result::Entry result;
    Duration resend_at = kNever;

    Duration runs_until() const;
  };

  // session_core.cpp
  void note(node::Event::Kind kind, std::string text = {});
  void on(const msg::Welcome& welcome, const Now& now);
  void on(const msg::Goodbye&, const Now& now);
  void on(const msg::ErrorReply& error, const Now& now);
  void on(const msg::HeartbeatReply&, const Now&) {}  // that it came is all
  void rejoin(const std::string& why, const Now& now);
  void on_refused(const Error& error, const Now& now);
  void give_way(const std::string& why);
  void renew_connection(const Now& now);
  void judge_silence(const Now& now);
  void greet(const Now& now);
  void say_leave(const Now& now);
  void advance_leave(const Now& now);
  Duration gives_up_at() const;
  std::size_t results_in_hand() const;
  void end(RunEnd::Kind kind, std::string text);
  Duration silent_at() const;

  // session_tasks.cpp
  void on(const msg::Assign& assign, const Now& now);
  void on(const msg::Abort& abort, const Now& now);
  void on(const msg::Keep& keep, const Now& now);
  void on(const msg::ResultAck& ack, const Now& now);
  void take(const msg::Assignment& assignment);
  std::optional<Error> refusal(const msg::Assignment& assignment) const;
  void abort(const msg::Abort::Entry& entry);
  void forget(Held& held);
  void finish(Held& held, TaskResult result, const Now& now);
  static bool are_names(const std::vector<std::string>& models);
  void give_back(Held& held, const Now& now, const std::string& unfit = {});
  void drop_queued();
  void send_result(Held& held, const Now& now);
  void send_results(const Now& now, bool all);
  void send_progress(const Now& now);
  void start_tasks(const Now& now);
  void keep_time_limits(const Now& now);
  Held* find(const AssignmentRef& ref);
  std::size_t unfinished() const;

  const CoreConfig config_;
  std::vector<std::string> loaded_models_;
  Phase phase_ = Phase::kJoining;
  Outbox outbox_;

  Duration heartbeat_ = kDefaultHeartbeat;
  Duration lost_ = kDefaultLost;
  Duration heard_;       // the last message of the broker
  Duration expired_at_;  // last; to notice that this process did not run
  Duration greet_at_;    // the next HELLO or HEARTBEAT
  std::uint64_t beat_seq_ = 0;
  Duration unsent_backoff_ = kMinUnsentBackoff;
  Duration refused_backoff_{0};  // 0: not refused
  ErrorCode refused_for_ = ErrorCode::kOk;
  Duration refused_notice_at_{0};
  Duration no_broker_notice_at_;

  bool leaving_ = false;
  std::string leave_reason_;
  Duration leave_at_ = kNever;       // when to say LEAVE again
  Duration leave_ends_at_ = kNever;  // forced: BYE whatever is missing; after BYE: the end
  Duration waits_since_{0};          // nothing has brought the end of leaving nearer since
  bool gave_up_ = false;             // waiting for results to be taken

  std::map<TaskId, Held> held_;      // at most one execution per task
  std::deque<AssignmentRef> queue_;  // the kQueued ones, in order of arrival
  std::set<AssignmentRef> running_;  // started and not ended, held or not: busy slots
  std::vector<Event> events_;
};

}  // namespace genai::node
