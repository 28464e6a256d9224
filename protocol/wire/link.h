// What a broker and a dispatcher say to each other. How to read the structs: node.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
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

namespace genai {

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

namespace msg {

// ---- dispatcher → broker

/// First message on a link, and again whenever the dispatcher wants a fresh snapshot.
struct LinkHello {
  static constexpr MessageKind kKind{20, "LINK_HELLO", Way::kDispatcherToBroker};
  InstanceId dispatcher;
  std::uint64_t epoch = 0;

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("dispatcher", dispatcher);
    ar.uint("epoch", epoch);
  }
};

/// A frame for, or from, one node session.
struct Parcel {
  SessionId session;
  Blob frame;

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("session", session);
    ar.bin("frame", frame, kMaxFrameBytes);
  }
};
struct ToNodes {
  static constexpr MessageKind kKind{24, "TO_NODES", Way::kDispatcherToBroker};
  std::vector<Parcel> parcels;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("parcels", parcels, 1, kMaxBatchEntries);
  }
};

/// Asks for the broker's metrics. A broker of an earlier release answers with ERROR unknown_type.
struct LinkStatsQuery {
  static constexpr MessageKind kKind{27, "LINK_STATS", Way::kDispatcherToBroker};

  template <class Ar>
  void fields(Ar&) {}
};

// ---- broker → dispatcher

struct ProviderEntry {
  SessionId session;
  NodeId node_id;
  ProviderState state = ProviderState::kOnline;
  PublicMetaInfo meta;
  std::vector<AssignmentRef> held;  // as of its last Hello or Heartbeat

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("session", session);
    ar.id("node_id", node_id);
    ar.enumerated("state", state, kMaxProviderState);
    ar.meta("meta", meta);
    ar.list("held", held, 0, kMaxHeld);
  }
};
/// One part of what is known of all sessions; the parts follow each other with nothing in between.
struct Snapshot {
  static constexpr MessageKind kKind{21, "SNAPSHOT", Way::kBrokerToDispatcher};
  InstanceId broker;
  std::uint64_t seq = 0;        // of the last delta that is in it
  std::uint64_t uptime_ms = 0;  // of the broker: a young one has not heard from everybody yet
  std::vector<ProviderEntry> providers;
  bool more = false;  // another part follows

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("broker", broker);
    ar.uint("seq", seq);
    ar.uint("uptime_ms", uptime_ms);
    ar.list("providers", providers, 0, kMaxSnapshotEntries);
    ar.optional();
    ar.flag("more", more);
  }
};

/// One membership change. Deltas are numbered by one per message; a gap means: ask for a snapshot.
struct Delta {
  static constexpr MessageKind kKind{22, "DELTA", Way::kBrokerToDispatcher};
  struct Joined {  // a session's Hello: new, or the same session after a reconnect
    ProviderEntry provider;

    template <class Ar>
    void fields(Ar& ar) {
      ar.nested("provider", provider);
    }
  };
  struct StateChanged {
    SessionId session;
    ProviderState state = ProviderState::kOnline;
    std::string reason;

    template <class Ar>
    void fields(Ar& ar) {
      ar.id("session", session);
      ar.enumerated("state", state, kMaxProviderState);
      ar.optional();
      ar.text("reason", reason, kMaxTextBytes);
    }
  };
  struct Beat {  // the content of a heartbeat that holds tasks, or that changed
    SessionId session;
    std::vector<AssignmentRef> held;
    std::vector<std::string> loaded_models;

    template <class Ar>
    void fields(Ar& ar) {
      ar.id("session", session);
      ar.list("held", held, 0, kMaxHeld);
      ar.optional();
      ar.list("loaded_models", loaded_models, 0, kMaxModels);
    }
  };
  using Change = std::variant<Joined, StateChanged, Beat>;

  InstanceId broker;
  std::uint64_t seq = 0;
  std::vector<Change> changes;

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("broker", broker);
    ar.uint("seq", seq);
    ar.list("changes", changes, 1, kMaxSnapshotEntries);
  }
};

struct FromNodes {
  static constexpr MessageKind kKind{25, "FROM_NODES", Way::kBrokerToDispatcher};
  std::vector<Parcel> parcels;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("parcels", parcels, 1, kMaxBatchEntries);
  }
};

/// Frames of ToNodes that could not be handed to the transport.
struct Undelivered {
  static constexpr MessageKind kKind{26, "UNDELIVERED", Way::kBrokerToDispatcher};
  struct Entry {
    SessionId session;
    ErrorCode code = ErrorCode::kUnreachable;  // kUnreachable, kPeerFull or kUnknownSession

    template <class Ar>
    void fields(Ar& ar) {
      ar.id("session", session);
      ar.code("code", code);
    }
  };
  std::vector<Entry> entries;

  template <class Ar>
  void fields(Ar& ar) {
    ar.list("entries", entries, 1, kMaxSnapshotEntries);
  }
};

/// What the broker counts and measures of itself, by name (SPEC.md, "Metrics of a broker").
struct LinkStats {
  static constexpr MessageKind kKind{28, "LINK_STATS_REPLY", Way::kBrokerToDispatcher};
  ValueMap metrics;

  template <class Ar>
  void fields(Ar& ar) {
    ar.map("metrics", metrics, kMaxInfoBytes);
  }
};

// ---- both ways

struct LinkHeartbeat {
  static constexpr MessageKind kKind{23, "LINK_HEARTBEAT", Way::kBothOnLink};
  InstanceId instance;    // of the sender
  std::uint64_t seq = 0;  // broker: of its last delta; dispatcher: of the last delta it applied

  template <class Ar>
  void fields(Ar& ar) {
    ar.id("instance", instance);
    ar.uint("seq", seq);
  }
};

}  // namespace msg

class LinkToBroker : public OneOf<Direction::kLinkToBroker, msg::LinkHello, msg::ToNodes,
                                  msg::LinkStatsQuery, msg::LinkHeartbeat, msg::ErrorReply> {
  GENAI_ONE_OF(LinkToBroker)
};
class LinkToDispatcher
    : public OneOf<Direction::kLinkToDispatcher, msg::Snapshot, msg::Delta, msg::FromNodes,
                   msg::Undelivered, msg::LinkStats, msg::LinkHeartbeat, msg::ErrorReply> {
  GENAI_ONE_OF(LinkToDispatcher)
};

std::string encode(const LinkToBroker& message);
std::string encode(const LinkToDispatcher& message);

}  // namespace genai
