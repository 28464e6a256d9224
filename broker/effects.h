// What the core wants done: frames to send and things to tell people. The loop applies them in
// order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/registry.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"

namespace genai::broker {

struct NodeOutput {
  Peer peer;
  std::string frame;
  /// Set for a dispatcher's parcel: when it cannot be sent, Core::handle_undeliverable wants to
  /// know.
  std::optional<SessionId> parcel_of;
};

struct LinkOutput {
  Peer peer;
  std::string frame;
};

/// Something worth a log line.
struct Notice {
  enum class Kind {
    kNodeJoined,
    kNodeRejoined,  // the session is known: a reconnect
    kNodeSuspect,
    kNodeBack,  // was suspect
    kNodeDraining,
    kNodeLost,
    kNodeLeft,
    kNodeRefused,  // count: since the last notice of this kind, this one included
    kDispatcherConnected,
    kDispatcherResync,
    kDispatcherGone,
    kDispatcherRefused,
    kMalformedNodeFrame,  // likewise
    kMalformedLinkFrame,  // likewise
    kMassVanish,          // count: nodes
    kLateLoop,            // count: milliseconds
  };
  Kind kind;
  NodeId node_id;     // of node notices; may be empty
  SessionId session;  // likewise; of a dispatcher: none
  std::string reason;
  std::uint64_t count = 0;
};

struct Effects {
  std::vector<NodeOutput> to_nodes;
  std::vector<LinkOutput> to_link;
  std::vector<Notice> notices;

  void clear() {
    to_nodes.clear();
    to_link.clear();
    notices.clear();
  }
};

}  // namespace genai::broker
