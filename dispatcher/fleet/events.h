// What happens to nodes and brokers: Membership tells it, the others follow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dispatcher/fleet/reach.h"
#include "dispatcher/tasks/events.h"
#include "dispatcher/tasks/malformed.h"
#include "protocol/base/blob.h"
#include "protocol/base/log_event.h"
#include "protocol/wire/link.h"

namespace genai::dispatcher {

namespace fleet_event {

/// The session is there, or its broker has told anew what the node is.
struct Joined {
  static constexpr std::string_view kName = "session joined";
  SessionId session;
  NodeId node_id;
  PublicMetaInfo meta;
  bool says_hello;  // the node has just connected: it may run again what it could not run before
};
struct ReachChanged {
  static constexpr std::string_view kName = "reach changed";
  SessionId session;
  Reach reach;
};
/// The node has these models in its memory.
struct Loaded {
  static constexpr std::string_view kName = "models loaded";
  SessionId session;
  std::vector<std::string> models;
};
/// The node has these attempts; `is_all`: and no others.
struct Held {
  static constexpr std::string_view kName = "session holds";
  SessionId session;
  std::vector<AssignmentRef> refs;
  bool is_all;
};
/// A frame of the node for this side.
struct Spoke {
  static constexpr std::string_view kName = "node frame";
  SessionId session;
  NodeId node_id;
  Blob frame;
};
/// The broker could not hand on a frame.
struct Unreached {
  static constexpr std::string_view kName = "session unreached";
  SessionId session;
  ErrorCode code;
};
/// The session is over. `fleet`: sessions that were there, this one included.
struct Lost {
  static constexpr std::string_view kName = "session lost";
  SessionId session;
  Cause cause;
  ErrorCode code;
  std::string reason;
  std::size_t fleet;
};
/// A broker has begun to list its nodes.
struct LinkUp {
  static constexpr std::string_view kName = "link up";
};
/// Other dispatchers have taken all brokers over.
struct Superseded {
  static constexpr std::string_view kName = "superseded";
};

struct SendToBroker {
  static constexpr std::string_view kName = "send to broker";
  std::size_t broker;
  LinkToBroker message;
};
/// The connection to the broker should be made anew.
struct Reopen {
  static constexpr std::string_view kName = "reopen link";
  std::size_t broker;
};

}  // namespace fleet_event

using FleetEvent =
    std::variant<fleet_event::Joined, fleet_event::ReachChanged, fleet_event::Loaded,
                 fleet_event::Held, fleet_event::Spoke, fleet_event::Unreached, fleet_event::Lost,
                 fleet_event::LinkUp, fleet_event::Superseded, fleet_event::SendToBroker,
                 fleet_event::Reopen, Malformed, LogEvent>;

}  // namespace genai::dispatcher
