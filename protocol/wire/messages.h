// Every message of the protocol as a plain struct: the shapes that SPEC.md gives in msgpack.
// Order of members = order of fields in the frame.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/base/blob.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"
#include "protocol/base/value.h"
#include "protocol/wire/public_meta.h"
#include "protocol/wire/task_spec.h"

namespace genai {

enum class TaskStatus : std::uint8_t {
  kUnscheduled = 0,
  kScheduled = 1,
  kSent = 2,
  kAborted = 3,
  kCompleted = 4,
  kFailed = 5,
};
inline constexpr std::uint8_t kMaxTaskStatus = 5;
std::string_view name(TaskStatus status);
constexpr bool is_terminal(TaskStatus s) { return s >= TaskStatus::kAborted; }

/// A provider as the broker judges it. Lost and left end the session.
enum class ProviderState : std::uint8_t {
  kOnline = 0,
  kSuspect = 1,   // heartbeats late: no new work
  kDraining = 2,  // the node asked to leave: no new work
  kLost = 3,      // heartbeats missing for the lost time, or replaced by a new session
  kLeft = 4,      // said BYE
};
inline constexpr std::uint8_t kMaxProviderState = 4;
std::string_view name(ProviderState state);

/// Names one execution: with the session it travels under, the whole fence of DESIGN.md point 4.
struct AssignmentRef {
  TaskId task_id;
  std::uint32_t attempt = 0;  // from 1, grows with each assignment of the task
  std::uint64_t epoch = 0;    // of the dispatcher that assigned

  friend auto operator<=>(const AssignmentRef&, const AssignmentRef&) = default;
};

namespace msg {

// ---- node → broker
// -------------------------------------------------------------------------------

/// First message of a session, and again after each reconnect, broker restart or UnknownSession.
struct Hello {
  NodeId node_id;
  SessionId session;
  PublicMetaInfo meta;
  std::vector<AssignmentRef> held;  // acknowledged assignments whose results are not acknowledged
};

struct Heartbeat {
  std::uint64_t seq = 0;  // grows by one per heartbeat of a session
  std::vector<AssignmentRef> held;
  std::vector<std::string> loaded_models;
};

/// The node takes no new work, finishes or returns what it holds, then says Bye.
struct Leave {
  std::string reason;
};

/// The session ends now.
struct Bye {
  std::string reason;
};

// ---- broker → node
// -------------------------------------------------------------------------------

struct Welcome {
  InstanceId broker;
  std::uint64_t heartbeat_ms = 0;
  std::uint64_t suspect_ms = 0;
  std::uint64_t lost_ms = 0;
};

struct HeartbeatReply {
  std::uint64_t seq = 0;  // the heartbeat it answers
};

/// Answers Bye: nothing will be asked of the session any more.
struct Goodbye {};

// ---- dispatcher → node (through the broker)
// ------------------------------------------------------

struct Assignment {
  AssignmentRef ref;
  TaskSpec spec;
  Blob payload;
};
struct Assign {
  std::vector<Assignment> entries;
};

/// With kTakenBack: only what has not started yet, since another node could start it sooner.
struct Abort {
  struct Entry {
    AssignmentRef ref;
    ErrorCode code = ErrorCode::kCancelled;
  };
  std::vector<Entry> entries;
};

/// After Hello: go on with these. What is not named here or in an Abort is still undecided.
struct Keep {
  std::vector<AssignmentRef> refs;
};

struct ResultAck {
  struct Entry {
    AssignmentRef ref;
    ErrorCode code = ErrorCode::kOk;  // kOk, kResultDiscarded or kUnknownTask: all mean "forget it"
  };
  std::vector<Entry> entries;
};

// ---- node → dispatcher (through the broker)
// ------------------------------------------------------

struct AssignAck {
  struct Entry {
    AssignmentRef ref;
    ErrorCode code = ErrorCode::kOk;  // kOk: taken and held from now on; else why it was refused
    std::string detail;
  };
  std::vector<Entry> entries;
};

struct Progress {
  struct Entry {
    AssignmentRef ref;
    double fraction = 0;  // 0..1
    std::string text;
  };
  std::vector<Entry> entries;
};

enum class Outcome : std::uint8_t {
  kOk = 0,        // data is the result
  kError = 1,     // the task failed here: info.error says why
  kReturned = 2,  // not started, or given back by a leaving node: nobody's fault
};
inline constexpr std::uint8_t kMaxOutcome = 2;

struct Result {
  struct Entry {
    AssignmentRef ref;
    Outcome outcome = Outcome::kOk;
    ValueMap info;  // run_ms, error, exit_code, content_type, ...
    Blob data;
  };
  std::vector<Entry> entries;
};

enum class AbortOutcome : std::uint8_t {
  kStopped = 0,   // was held, is not any more; no result will follow
  kNotHeld = 1,   // the node does not know it
  kFinished = 2,  // had finished already: its Result stands
  kStarted = 3,   // asked to give back only (kTakenBack), but it runs already and goes on
};
inline constexpr std::uint8_t kMaxAbortOutcome = 3;

struct AbortAck {
  struct Entry {
    AssignmentRef ref;
    AbortOutcome outcome = AbortOutcome::kStopped;
  };
  std::vector<Entry> entries;
};

// ---- link: dispatcher → broker
// -------------------------------------------------------------------

/// First message on a link, and again whenever the dispatcher wants a fresh snapshot.
struct LinkHello {
  InstanceId dispatcher;
  std::uint64_t epoch = 0;
};

/// A frame for, or from, one node session.
struct Parcel {
  SessionId session;
  Blob frame;
};
struct ToNodes {
  std::vector<Parcel> parcels;
};

// ---- link: broker → dispatcher
// -------------------------------------------------------------------

struct ProviderEntry {
  SessionId session;
  NodeId node_id;
  ProviderState state = ProviderState::kOnline;
  PublicMetaInfo meta;
  std::vector<AssignmentRef> held;  // as of its last Hello or Heartbeat
};
/// One part of what is known of all sessions; the parts follow each other with nothing in between.
struct Snapshot {
  InstanceId broker;
  std::uint64_t seq = 0;        // of the last delta that is in it
  std::uint64_t uptime_ms = 0;  // of the broker: a young one has not heard from everybody yet
  std::vector<ProviderEntry> providers;
  bool more = false;  // another part follows
};

/// One membership change. Deltas are numbered by one per message; a gap means: ask for a snapshot.
struct Delta {
  struct Joined {  // a session's Hello: new, or the same session after a reconnect
    ProviderEntry provider;
  };
  struct StateChanged {
    SessionId session;
    ProviderState state = ProviderState::kOnline;
    std::string reason;
  };
  struct Beat {  // the content of a heartbeat that holds tasks, or that changed
    SessionId session;
    std::vector<AssignmentRef> held;
    std::vector<std::string> loaded_models;
  };
  using Change = std::variant<Joined, StateChanged, Beat>;

  InstanceId broker;
  std::uint64_t seq = 0;
  std::vector<Change> changes;
};

struct FromNodes {
  std::vector<Parcel> parcels;
};

/// Frames of ToNodes that could not be handed to the transport.
struct Undelivered {
  struct Entry {
    SessionId session;
    ErrorCode code = ErrorCode::kUnreachable;  // kUnreachable, kPeerFull or kUnknownSession
  };
  std::vector<Entry> entries;
};

// ---- link: both ways
// -----------------------------------------------------------------------------

struct LinkHeartbeat {
  InstanceId instance;    // of the sender
  std::uint64_t seq = 0;  // broker: of its last delta; dispatcher: of the last delta it applied
};

// ---- client → dispatcher. `request` is the client's number for matching the answer.
// --------------

enum class WatchLevel : std::uint8_t {
  kNone = 0,      // no pushes
  kResult = 1,    // Deliver when terminal
  kProgress = 2,  // and Update on each change and progress
};
inline constexpr std::uint8_t kMaxWatchLevel = 2;

struct Submission {
  TaskId task_id;
  TaskSpec spec;
  Blob payload;
};
struct Submit {
  std::uint64_t request = 0;
  WatchLevel watch = WatchLevel::kResult;
  std::vector<Submission> tasks;
};

struct Watch {
  std::uint64_t request = 0;
  WatchLevel level = WatchLevel::kResult;
  std::vector<TaskId> ids;
};

struct DeliverAck {
  std::vector<TaskId> ids;
};

struct Cancel {
  std::uint64_t request = 0;
  std::vector<TaskId> ids;
};

/// Submits the content of Failed tasks again, under new ids that the client chooses so that
/// repeating the message is safe. Answered by Accepted; its verdicts name the new ids.
struct Replay {
  struct Entry {
    TaskId of;  // a Failed task; it stays as it is
    TaskId as;
  };
  std::uint64_t request = 0;
  std::vector<Entry> entries;
};

/// Forgets Failed tasks with their payloads and logs.
struct Purge {
  std::uint64_t request = 0;
  std::vector<TaskId> ids;
};

/// Changes the priority of tasks that wait in the queue.
struct Reprioritise {
  std::uint64_t request = 0;
  std::uint8_t priority = limits::kDefaultPriority;
  std::vector<TaskId> ids;
};

struct StatusQuery {
  std::uint64_t request = 0;
  std::vector<TaskId> ids;
};

/// filter: status (str), after (str, a task id), limit (uint).
struct List {
  std::uint64_t request = 0;
  ValueMap filter;
};

struct NodesQuery {
  std::uint64_t request = 0;
  bool measured = false;  // with what the dispatcher measured of each node
};

struct StatsQuery {
  std::uint64_t request = 0;
};

/// Stop (on) or resume giving work to one node; with target "" stop taking new tasks at all.
struct Drain {
  std::uint64_t request = 0;
  std::string target;
  bool on = true;
};

struct Ping {
  std::uint64_t request = 0;
};

// ---- dispatcher → client
// -------------------------------------------------------------------------

/// One verdict per entry of the request, in its order.
struct Verdict {
  TaskId task_id;
  ErrorCode code = ErrorCode::kOk;
  std::string detail;
};

/// When a task is expected to start and finish, in ms from now; all 0: not known.
struct Estimate {
  std::uint64_t start_p50_ms = 0, start_p95_ms = 0;
  std::uint64_t finish_p50_ms = 0, finish_p95_ms = 0;

  friend bool operator==(const Estimate&, const Estimate&) = default;
};

/// The verdict on a submission.
struct Acceptance {
  TaskId task_id;
  ErrorCode code = ErrorCode::kOk;
  std::string detail;                // kOk: why no node that is there fits, or empty
  std::uint64_t retry_after_ms = 0;  // of a refusal that time may change; else 0
  Estimate estimate = {};
};
struct Accepted {
  std::uint64_t request = 0;
  std::vector<Acceptance> verdicts;
};

struct Cancelled {
  std::uint64_t request = 0;
  std::vector<Verdict> verdicts;
};

struct Purged {
  std::uint64_t request = 0;
  std::vector<Verdict> verdicts;
};

struct Reprioritised {
  std::uint64_t request = 0;
  std::vector<Verdict> verdicts;
};

struct Update {
  struct Entry {
    TaskId task_id;
    TaskStatus status = TaskStatus::kUnscheduled;
    std::string node_id;  // empty: none
    double fraction = 0;
    std::string text;
  };
  std::vector<Entry> entries;
};

/// A terminal task; repeated until DeliverAck.
struct Deliver {
  struct Entry {
    TaskId task_id;
    TaskStatus status = TaskStatus::kCompleted;
    ErrorCode code = ErrorCode::kOk;
    ValueMap info;  // node_id, attempts, queued_ms, run_ms, total_ms, error, ...
    Blob data;
  };
  std::vector<Entry> entries;
};

struct Tasks {
  std::uint64_t request = 0;
  std::vector<ValueMap> tasks;
  bool more = false;  // List: ask again with after = the last id
};

struct NodeList {
  std::uint64_t request = 0;
  std::vector<ValueMap> nodes;
};

struct Stats {
  std::uint64_t request = 0;
  ValueMap stats;
};

struct Done {
  std::uint64_t request = 0;
};

struct Pong {
  std::uint64_t request = 0;
  std::uint64_t epoch = 0;
  std::uint64_t watched = 0;  // tasks whose results this connection is to get
};

// ---- anyone → anyone
// -----------------------------------------------------------------------------

struct ErrorReply {
  std::uint64_t request = 0;  // 0: the request is not known
  ErrorCode code = ErrorCode::kMalformed;
  std::string detail;
};

}  // namespace msg

using AnyMessage =
    std::variant<msg::Hello, msg::Heartbeat, msg::Leave, msg::Bye, msg::Welcome,
                 msg::HeartbeatReply, msg::Goodbye, msg::Assign, msg::Abort, msg::Keep,
                 msg::ResultAck, msg::AssignAck, msg::Progress, msg::Result, msg::AbortAck,
                 msg::LinkHello, msg::ToNodes, msg::Snapshot, msg::Delta, msg::FromNodes,
                 msg::Undelivered, msg::LinkHeartbeat, msg::Submit, msg::Watch, msg::DeliverAck,
                 msg::Cancel, msg::StatusQuery, msg::List, msg::NodesQuery, msg::StatsQuery,
                 msg::Drain, msg::Ping, msg::Accepted, msg::Cancelled, msg::Update, msg::Deliver,
                 msg::Tasks, msg::NodeList, msg::Stats, msg::Done, msg::Pong, msg::Replay,
                 msg::Purge, msg::Purged, msg::Reprioritise, msg::Reprioritised, msg::ErrorReply>;

template <class M, class Variant>
inline constexpr bool kIsAlternative = false;
template <class M, class... Ms>
inline constexpr bool kIsAlternative<M, std::variant<Ms...>> = (std::is_same_v<M, Ms> || ...);

/// Any of them. A class of its own so that copying and destroying so many kinds is compiled once.
class Message : public AnyMessage {
 public:
  Message();
  Message(const Message&);
  Message(Message&&) noexcept;
  Message& operator=(const Message&);
  Message& operator=(Message&&) noexcept;
  ~Message();

  template <class M>
  requires(kIsAlternative<std::remove_cvref_t<M>, AnyMessage>) Message(M&& body)
      : AnyMessage(std::in_place_type<std::remove_cvref_t<M>>, std::forward<M>(body)) {}
};

}  // namespace genai
