// The requests of clients and the answers of the dispatcher. `request` is a number that the client
// chooses and the answer repeats. node.h says how to read the structs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/blob.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"
#include "protocol/base/limits.h"
#include "protocol/base/value.h"
#include "protocol/wire/error_reply.h"
#include "protocol/wire/one_of.h"
#include "protocol/wire/task_spec.h"
#include "protocol/wire/task_status.h"

namespace genai {
namespace msg {

// ---- client → dispatcher

// --------------

enum class WatchLevel : std::uint8_t {
  kNone = 0,      // the dispatcher sends nothing unasked
  kResult = 1,    // it sends Deliver when the task is terminal
  kProgress = 2,  // and Update for each change and progress
};
inline constexpr std::uint8_t kMaxWatchLevel = 2;

struct Submission {
  TaskId task_id;
  TaskSpec spec;
  Blob payload;

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("task_id", task_id);
    ar.new_spec("spec", spec);
    ar.bin("payload", payload, kMaxPayloadBytes);
  }
};
struct Submit {
  static constexpr RequestKind kKind{40, "SUBMIT", Right::kSubmit, Cost::kFree, Needs::kNothing};
  std::uint64_t request = 0;
  WatchLevel watch = WatchLevel::kResult;
  std::vector<Submission> tasks;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.enumerated("watch", watch, msg::kMaxWatchLevel);
    ar.list("tasks", tasks, 1, kMaxBatchEntries);
  }
};

struct Watch {
  static constexpr RequestKind kKind{42, "WATCH", Right::kEither, Cost::kPerEntry, Needs::kStore};
  std::uint64_t request = 0;
  WatchLevel level = WatchLevel::kResult;
  std::vector<TaskId> ids;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.enumerated("level", level, msg::kMaxWatchLevel);
    ar.list("ids", ids, 1, kMaxBatchEntries);
  }
};

struct DeliverAck {
  static constexpr RequestKind kKind{45, "DELIVER_ACK", Right::kEither, Cost::kFree,
                                     Needs::kNothing};
  std::vector<TaskId> ids;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("ids", ids, 1, kMaxBatchEntries);
  }
};

struct Cancel {
  static constexpr RequestKind kKind{46, "CANCEL", Right::kSubmit, Cost::kPerEntry, Needs::kStore};
  std::uint64_t request = 0;
  std::vector<TaskId> ids;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("ids", ids, 1, kMaxBatchEntries);
  }
};

/// Submits the content of Failed tasks again. The client chooses the new ids, so that it may repeat
/// the message. The answer is Accepted; its verdicts name the new ids.
struct Replay {
  static constexpr RequestKind kKind{59, "REPLAY", Right::kSubmit, Cost::kPerEntry,
                                     Needs::kNothing};
  struct Entry {
    TaskId of;  // a Failed task; it stays as it is
    TaskId as;

    template <class Ar>
    void fields(Ar& ar) {
      ar.id("of", of);
      ar.id("as", as);
    }
  };
  std::uint64_t request = 0;
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

/// Makes the dispatcher forget Failed tasks, with their payloads and logs.
struct Purge {
  static constexpr RequestKind kKind{60, "PURGE", Right::kSubmit, Cost::kPerEntry, Needs::kStore};
  std::uint64_t request = 0;
  std::vector<TaskId> ids;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("ids", ids, 1, kMaxBatchEntries);
  }
};

/// Changes the priority of tasks that wait in the queue.
struct Reprioritise {
  static constexpr RequestKind kKind{62, "REPRIORITISE", Right::kSubmit, Cost::kPerEntry,
                                     Needs::kStore};
  std::uint64_t request = 0;
  std::uint8_t priority = limits::kDefaultPriority;
  std::vector<TaskId> ids;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.uint("priority", priority, 0, kMaxPriority);
    ar.list("ids", ids, 1, kMaxBatchEntries);
  }
};

/// Reads the result of a task, or a part of it. It may be repeated as often as wanted, since it
/// acknowledges nothing.
struct Fetch {
  static constexpr RequestKind kKind{64, "FETCH", Right::kEither, Cost::kFlat, Needs::kStore};
  std::uint64_t request = 0;
  TaskId task_id;
  std::uint64_t offset = 0;  // of the first byte
  std::uint64_t bytes = 0;   // at most; 0: only what is told of the result

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.id("task_id", task_id);
    ar.optional();
    ar.uint("offset", offset);
    ar.uint("bytes", bytes, 0, kMaxFetchBytes);
  }
};

/// Makes the dispatcher forget tasks that have ended, with their results and logs.
struct Delete {
  static constexpr RequestKind kKind{66, "DELETE", Right::kSubmit, Cost::kPerEntry,
                                     Needs::kNothing};  // it makes room
  std::uint64_t request = 0;
  std::vector<TaskId> ids;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("ids", ids, 1, kMaxBatchEntries);
  }
};

struct StatusQuery {
  static constexpr RequestKind kKind{48, "STATUS", Right::kWatch, Cost::kPerEntry, Needs::kStore};
  std::uint64_t request = 0;
  std::vector<TaskId> ids;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("ids", ids, 1, kMaxStatusIds);
  }
};

/// filter: status (str), after (str, a task id), limit (uint).
struct List {
  static constexpr RequestKind kKind{50, "LIST", Right::kWatch, Cost::kFlat, Needs::kStore};
  std::uint64_t request = 0;
  ValueMap filter;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.map("filter", filter, kMaxSpecBytes);
  }
};

struct NodesQuery {
  static constexpr RequestKind kKind{51, "NODES", Right::kAdmin, Cost::kFlat, Needs::kNothing};
  std::uint64_t request = 0;
  bool measured = false;  // with the dispatcher's measurements of each node

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.optional();
    ar.flag("measured", measured);
  }
};

struct StatsQuery {
  static constexpr RequestKind kKind{53, "STATS", Right::kAdmin, Cost::kFlat, Needs::kNothing};
  std::uint64_t request = 0;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
  }
};

/// Drains a node (on), or ends that. With target "" the dispatcher itself accepts no new tasks.
struct Drain {
  static constexpr RequestKind kKind{55, "DRAIN", Right::kAdmin, Cost::kFlat, Needs::kStore};
  std::uint64_t request = 0;
  std::string target;
  bool on = true;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.text("target", target, kMaxIdBytes);
    ar.flag("on", on);
  }
};

struct Ping {
  static constexpr RequestKind kKind{57, "PING", Right::kNone, Cost::kFree, Needs::kNothing};
  std::uint64_t request = 0;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
  }
};

// ---- dispatcher → client

/// One verdict for each entry of the request, in the same order.
struct Verdict {
  TaskId task_id;
  ErrorCode code = ErrorCode::kOk;
  std::string detail;

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("task_id", task_id);
    ar.code("code", code);
    ar.optional();
    ar.text("detail", detail, kMaxTextBytes);
  }
};

/// When a task is expected to start and to finish, in ms from now. All 0: not known.
struct Estimate {
  std::uint64_t start_p50_ms = 0, start_p95_ms = 0;
  std::uint64_t finish_p50_ms = 0, finish_p95_ms = 0;

  friend bool operator==(const Estimate&, const Estimate&) = default;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("start_p50_ms", start_p50_ms);
    ar.uint("start_p95_ms", start_p95_ms);
    ar.uint("finish_p50_ms", finish_p50_ms);
    ar.uint("finish_p95_ms", finish_p95_ms);
  }
};

/// The verdict on a submission.
struct Acceptance {
  TaskId task_id;
  ErrorCode code = ErrorCode::kOk;
  std::string detail;                // kOk: why no node fits now, a warning, or empty
  std::uint64_t retry_after_ms = 0;  // of a refusal that may pass with time; else 0
  Estimate estimate = {};

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("task_id", task_id);
    ar.code("code", code);
    ar.optional();
    ar.text("detail", detail, kMaxTextBytes);
    ar.uint("retry_after_ms", retry_after_ms);
    ar.nested("estimate", estimate);
  }
};
struct Accepted {
  static constexpr ReplyKind kKind{41, "ACCEPTED", Waits::kIfItPromises, IfUnread::kIsTold};
  std::uint64_t request = 0;
  std::vector<Acceptance> verdicts;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("verdicts", verdicts, 1, kMaxBatchEntries);
  }
};

struct Cancelled {
  static constexpr ReplyKind kKind{47, "CANCELLED", Waits::kForCommit, IfUnread::kIsTold};
  std::uint64_t request = 0;
  std::vector<Verdict> verdicts;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("verdicts", verdicts, 1, kMaxBatchEntries);
  }
};

struct Purged {
  static constexpr ReplyKind kKind{61, "PURGED", Waits::kForCommit, IfUnread::kIsTold};
  std::uint64_t request = 0;
  std::vector<Verdict> verdicts;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("verdicts", verdicts, 1, kMaxBatchEntries);
  }
};

struct Reprioritised {
  static constexpr ReplyKind kKind{63, "REPRIORITISED", Waits::kForCommit, IfUnread::kIsTold};
  std::uint64_t request = 0;
  std::vector<Verdict> verdicts;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("verdicts", verdicts, 1, kMaxBatchEntries);
  }
};

struct Update {
  static constexpr ReplyKind kKind{43, "UPDATE", Waits::kForCommit, IfUnread::kComesAgain};
  struct Entry {
    TaskId task_id;
    TaskStatus status = TaskStatus::kUnscheduled;
    std::string node_id;  // empty: no node has the task
    double fraction = 0;
    std::string text;

    template <class Ar>
    void fields(Ar& ar) {
      ar.id("task_id", task_id);
      ar.enumerated("status", status, kMaxTaskStatus);
      ar.text("node_id", node_id, kMaxIdBytes);
      ar.optional();
      ar.real("fraction", fraction, 0, 1);
      ar.text("text", text, kMaxTextBytes);
    }
  };
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

/// A terminal task. It is repeated until DeliverAck.
struct Deliver {
  static constexpr ReplyKind kKind{44, "DELIVER", Waits::kForCommit, IfUnread::kComesAgain};
  struct Entry {
    TaskId task_id;
    TaskStatus status = TaskStatus::kCompleted;
    ErrorCode code = ErrorCode::kOk;
    ValueMap info;  // node_id, attempts, queued_ms, run_ms, total_ms, error, ...
    Blob data;

    template <class Ar>
    void fields(Ar& ar) {
      ar.id("task_id", task_id);
      ar.enumerated("status", status, kMaxTaskStatus);
      ar.code("code", code);
      ar.map("info", info, kMaxInfoBytes);
      ar.bin("data", data, kMaxResultBytes);
    }
  };
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

/// A part of a result, and what is told of it.
struct Fetched {
  static constexpr ReplyKind kKind{65, "FETCHED", Waits::kForCommit, IfUnread::kIsTold};
  std::uint64_t request = 0;
  TaskId task_id;
  TaskStatus status = TaskStatus::kCompleted;
  ErrorCode code = ErrorCode::kOk;
  ValueMap info;            // as in Deliver; empty while the task has not ended
  std::uint64_t total = 0;  // bytes of the whole result
  std::uint64_t offset = 0;
  Blob data;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.id("task_id", task_id);
    ar.enumerated("status", status, kMaxTaskStatus);
    ar.code("code", code);
    ar.map("info", info, kMaxInfoBytes);
    ar.uint("total", total);
    ar.uint("offset", offset);
    ar.bin("data", data, kMaxFetchBytes);
  }
};

struct Deleted {
  static constexpr ReplyKind kKind{67, "DELETED", Waits::kForCommit, IfUnread::kIsTold};
  std::uint64_t request = 0;
  std::vector<Verdict> verdicts;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("verdicts", verdicts, 1, kMaxBatchEntries);
  }
};

struct Tasks {
  static constexpr ReplyKind kKind{49, "TASKS", Waits::kForCommit, IfUnread::kIsTold};
  std::uint64_t request = 0;
  std::vector<ValueMap> tasks;
  bool more = false;  // of a List: ask for the next page with after = the last id

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("tasks", tasks, 0, kMaxBatchEntries);
    ar.optional();
    ar.flag("more", more);
  }
};

struct NodeList {
  static constexpr ReplyKind kKind{52, "NODE_LIST", Waits::kNot, IfUnread::kIsTold};
  std::uint64_t request = 0;
  std::vector<ValueMap> nodes;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.list("nodes", nodes, 0, kMaxSnapshotEntries);
  }
};

struct Stats {
  static constexpr ReplyKind kKind{54, "STATS_REPLY", Waits::kNot, IfUnread::kIsTold};
  std::uint64_t request = 0;
  ValueMap stats;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.map("stats", stats, kMaxInfoBytes);
  }
};

struct Done {
  static constexpr ReplyKind kKind{56, "DONE", Waits::kForCommit, IfUnread::kIsTold};
  std::uint64_t request = 0;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
  }
};

struct Pong {
  static constexpr ReplyKind kKind{58, "PONG", Waits::kNot, IfUnread::kIsTold};
  std::uint64_t request = 0;
  std::uint64_t epoch = 0;
  std::uint64_t watched = 0;  // how many tasks this connection watches

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.uint("epoch", epoch);
    ar.uint("watched", watched);
  }
};

}  // namespace msg

class ClientRequest : public OneOf<Direction::kFromClient, msg::Submit, msg::Watch, msg::DeliverAck,
                                   msg::Cancel, msg::StatusQuery, msg::List, msg::NodesQuery,
                                   msg::StatsQuery, msg::Drain, msg::Ping, msg::Replay, msg::Purge,
                                   msg::Reprioritise, msg::Fetch, msg::Delete, msg::ErrorReply> {
  GENAI_ONE_OF(ClientRequest)
};
class ClientReply
    : public OneOf<Direction::kToClient, msg::Accepted, msg::Cancelled, msg::Update, msg::Deliver,
                   msg::Tasks, msg::NodeList, msg::Stats, msg::Done, msg::Pong, msg::Purged,
                   msg::Reprioritised, msg::Fetched, msg::Deleted, msg::ErrorReply> {
  GENAI_ONE_OF(ClientReply)
};

std::string encode(const ClientRequest& message);
std::string encode(const ClientReply& message);

}  // namespace genai
