// What the core is told, and what it wants done.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/registry.h"
#include "protocol/base/blob.h"
#include "protocol/base/errors.h"
#include "protocol/base/identity.h"
#include "protocol/base/ids.h"
#include "protocol/base/log_event.h"

namespace genai::broker {

// ---- Events out.

struct NodeOutput {
  Peer peer;
  std::string frame;
  /// Set for a dispatcher's parcel: when it cannot be sent, the dispatcher is told.
  std::optional<SessionId> parcel_of;
};

struct LinkOutput {
  Peer peer;
  std::string frame;
};

/// To be done in this order. Hand in an Undeliverable for each frame that was not taken.
struct Events {
  std::vector<NodeOutput> to_nodes;
  std::vector<LinkOutput> to_link;
  std::vector<LogEvent> notes;
};

// ---- Events in. They refer to what outlives the call.

/// Who said it: a connection, and what its key stands for now.
struct Sender {
  std::string_view peer;
  const Identity& who;
};

/// A message came on the socket for nodes.
struct NodeFrame {
  Sender from;
  const Blob& frame;
};
/// One that was not a single frame of a connection named by the transport.
struct MalformedNode {
  Sender from;
};

/// The same for the socket of the link.
struct LinkFrame {
  Sender from;
  const Blob& frame;
};
struct MalformedLink {
  Sender from;
};

/// These keys stand for nothing, or something else, from now on: their sessions and links end.
struct KeysRevoked {
  const KeySet& keys;
};

/// The transport did not take a frame; `why` is kUnreachable or kPeerFull.
struct Undeliverable {
  const NodeOutput& output;
  ErrorCode why;
};
/// The same for a frame to a dispatcher. That is taken for gone: send it nothing more of the events
/// that were taken. It begins anew with a LINK_HELLO.
struct LinkUndeliverable {
  const Peer& peer;
  ErrorCode why;
};

/// Both sockets have been read, and all that was read has been handed in. `behind`: messages may be
/// left there.
struct SocketsRead {
  bool behind;
};

}  // namespace genai::broker
