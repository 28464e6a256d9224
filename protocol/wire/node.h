// The messages between a node and its broker, and between a node and the dispatcher.
//
// Each struct is one message, with everything that is known of it. The members have the order of
// the fields in the frame. `fields` describes them once: this one description counts, writes and
// reads them. An archive has a method for each kind of field (archive.h), and two for the marks
// between fields (SPEC.md, "Versions"):
// - optional(): fields behind it may be missing; they have the value that the struct gives them. A
//   field is never optional if work would be lost without it.
// - appended(): fields behind it came after the first release of version 1. They are optional too.
//   A writer leaves out the last ones that have their defaults: peers of the first release get only
//   fields that they know. Put a new field at the end, behind this mark.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/blob.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"
#include "protocol/base/limits.h"
#include "protocol/base/value.h"
#include "protocol/wire/assignment_ref.h"
#include "protocol/wire/error_reply.h"
#include "protocol/wire/one_of.h"
#include "protocol/wire/public_meta.h"
#include "protocol/wire/task_spec.h"

namespace genai {
namespace msg {

// ---- node → broker

/// The first message of a session; also sent after a reconnect, a broker restart, UnknownSession.
struct Hello {
  static constexpr MessageKind kKind{1, "HELLO", Way::kNodeToBroker};
  NodeId node_id;
  SessionId session;
  PublicMetaInfo meta;
  std::vector<AssignmentRef> held;  // acknowledged attempts whose end is not acknowledged

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("node_id", node_id);
    ar.id("session", session);
    ar.meta("meta", meta);
    ar.list("held", held, 0, kMaxHeld);
  }
};

struct Heartbeat {
  static constexpr MessageKind kKind{3, "HEARTBEAT", Way::kNodeToBroker};
  std::uint64_t seq = 0;  // grows by one with each heartbeat of a session
  std::vector<AssignmentRef> held;
  std::vector<std::string> loaded_models;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("seq", seq);
    ar.list("held", held, 0, kMaxHeld);
    ar.optional();
    ar.list("loaded_models", loaded_models, 0, kMaxModels);
  }
};

/// The node accepts no new work, finishes or returns the tasks that it holds, then sends Bye.
struct Leave {
  static constexpr MessageKind kKind{5, "LEAVE", Way::kNodeToBroker};
  std::string reason;

  template <class Ar>
  void fields(Ar& ar) {
    ar.optional();
    ar.text("reason", reason, kMaxTextBytes);
  }
};

/// The session ends now.
struct Bye {
  static constexpr MessageKind kKind{6, "BYE", Way::kNodeToBroker};
  std::string reason;

  template <class Ar>
  void fields(Ar& ar) {
    ar.optional();
    ar.text("reason", reason, kMaxTextBytes);
  }
};

// ---- broker → node

struct Welcome {
  static constexpr MessageKind kKind{2, "WELCOME", Way::kBrokerToNode};
  InstanceId broker;
  std::uint64_t heartbeat_ms = 0;
  std::uint64_t suspect_ms = 0;
  std::uint64_t lost_ms = 0;

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("broker", broker);
    ar.uint("heartbeat_ms", heartbeat_ms, kMinHeartbeatMs, kMaxHeartbeatMs);
    ar.uint("suspect_ms", suspect_ms, 1, kMaxTtlMs);
    ar.uint("lost_ms", lost_ms, 1, kMaxTtlMs);
  }
};

struct HeartbeatReply {
  static constexpr MessageKind kKind{4, "HEARTBEAT_REPLY", Way::kBrokerToNode};
  std::uint64_t seq = 0;  // of the heartbeat that it answers

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("seq", seq);
  }
};

/// The answer to Bye: nobody asks anything of the session any more.
struct Goodbye {
  static constexpr MessageKind kKind{7, "GOODBYE", Way::kBrokerToNode};
  template <class Ar>
  void fields(Ar&) {}
};

// ---- dispatcher → node (through the broker)

struct Assignment {
  AssignmentRef ref;
  TaskSpec spec;
  Blob payload;

  template <class Ar>
  void fields(Ar& ar) {
    ar.nested("ref", ref);
    ar.spec("spec", spec);
    ar.bin("payload", payload, kMaxPayloadBytes);
  }
};
struct Assign {
  static constexpr MessageKind kKind{10, "ASSIGN", Way::kDispatcherToNode};
  std::vector<Assignment> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

/// With kTakenBack it is only for a task that has not started: another node could start it sooner.
struct Abort {
  static constexpr MessageKind kKind{15, "ABORT", Way::kDispatcherToNode};
  struct Entry {
    AssignmentRef ref;
    ErrorCode code = ErrorCode::kCancelled;

    template <class Ar>
    void fields(Ar& ar) {
      ar.nested("ref", ref);
      ar.code("code", code);
    }
  };
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

/// After Hello: go on with these. A ref that is neither here nor in an Abort is not decided yet.
struct Keep {
  static constexpr MessageKind kKind{17, "KEEP", Way::kDispatcherToNode};
  std::vector<AssignmentRef> refs;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("refs", refs, 1, kMaxBatchEntries);
  }
};

struct ResultAck {
  static constexpr MessageKind kKind{14, "RESULT_ACK", Way::kDispatcherToNode};
  struct Entry {
    AssignmentRef ref;
    ErrorCode code = ErrorCode::kOk;  // or kResultDiscarded, kUnknownTask: forget the result

    template <class Ar>
    void fields(Ar& ar) {
      ar.nested("ref", ref);
      ar.code("code", code);
    }
  };
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

// ---- node → dispatcher (through the broker)

struct AssignAck {
  static constexpr MessageKind kKind{11, "ASSIGN_ACK", Way::kNodeToDispatcher};
  struct Entry {
    AssignmentRef ref;
    ErrorCode code = ErrorCode::kOk;  // kOk: accepted, held from now on; else why it is refused
    std::string detail;

    template <class Ar>
    void fields(Ar& ar) {
      ar.nested("ref", ref);
      ar.code("code", code);
      ar.optional();
      ar.text("detail", detail, kMaxTextBytes);
    }
  };
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

struct Progress {
  static constexpr MessageKind kKind{12, "PROGRESS", Way::kNodeToDispatcher};
  struct Entry {
    AssignmentRef ref;
    double fraction = 0;  // 0..1
    std::string text;

    template <class Ar>
    void fields(Ar& ar) {
      ar.nested("ref", ref);
      ar.real("fraction", fraction, 0, 1);
      ar.optional();
      ar.text("text", text, kMaxTextBytes);
    }
  };
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

enum class Outcome : std::uint8_t {
  kOk = 0,        // data is the result
  kError = 1,     // the task failed here: info.error says why
  kReturned = 2,  // not started, or given back by a leaving node: nobody is blamed
};
inline constexpr std::uint8_t kMaxOutcome = 2;

struct Result {
  static constexpr MessageKind kKind{13, "RESULT", Way::kNodeToDispatcher};
  struct Entry {
    AssignmentRef ref;
    Outcome outcome = Outcome::kOk;
    ValueMap info;  // run_ms, error, exit_code, content_type, ...
    Blob data;

    template <class Ar>
    void fields(Ar& ar) {
      ar.nested("ref", ref);
      ar.enumerated("outcome", outcome, msg::kMaxOutcome);
      ar.map("info", info, kMaxResultInfoBytes);
      ar.bin("data", data, kMaxResultBytes);
    }
  };
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

enum class AbortOutcome : std::uint8_t {
  kStopped = 0,   // the attempt is no longer held; no result will follow
  kNotHeld = 1,   // the node does not know it
  kFinished = 2,  // it had already finished: its Result stays valid
  kStarted = 3,   // only after kTakenBack: it already runs, and goes on
};
inline constexpr std::uint8_t kMaxAbortOutcome = 3;

struct AbortAck {
  static constexpr MessageKind kKind{16, "ABORT_ACK", Way::kNodeToDispatcher};
  struct Entry {
    AssignmentRef ref;
    AbortOutcome outcome = AbortOutcome::kStopped;

    template <class Ar>
    void fields(Ar& ar) {
      ar.nested("ref", ref);
      ar.enumerated("outcome", outcome, msg::kMaxAbortOutcome);
    }
  };
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxBatchEntries);
  }
};

}  // namespace msg

/// All messages that a node sends ...
class FromNode
    : public OneOf<Direction::kFromNode, msg::Hello, msg::Heartbeat, msg::Leave, msg::Bye,
                   msg::AssignAck, msg::Progress, msg::Result, msg::AbortAck, msg::ErrorReply> {
  GENAI_ONE_OF(FromNode)
};
/// ... and those that the broker and the dispatcher read.
class NodeToBroker : public OneOf<Direction::kFromNode, msg::Hello, msg::Heartbeat, msg::Leave,
                                  msg::Bye, msg::ErrorReply> {
  GENAI_ONE_OF(NodeToBroker)
};
class NodeToDispatcher : public OneOf<Direction::kFromNode, msg::AssignAck, msg::Progress,
                                      msg::Result, msg::AbortAck, msg::ErrorReply> {
  GENAI_ONE_OF(NodeToDispatcher)
};
class ToNode : public OneOf<Direction::kToNode, msg::Welcome, msg::HeartbeatReply, msg::Goodbye,
                            msg::Assign, msg::Abort, msg::Keep, msg::ResultAck, msg::ErrorReply> {
  GENAI_ONE_OF(ToNode)
};

std::string encode(const FromNode& message);
std::string encode(const ToNode& message);

}  // namespace genai
