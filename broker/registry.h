// The sessions of the connected nodes: found by session id, node id and connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/base/ids.h"
#include "protocol/base/metrics.h"
#include "protocol/base/string_map.h"
#include "protocol/base/time.h"
#include "protocol/wire/link.h"

namespace genai::broker {

/// A connection as the transport names it (a ROUTER's routing id). Never logged.
using Peer = std::string;

/// One node process, from its first HELLO until it is lost or has left. Sessions outlive
/// connections: `peer` is the connection of the latest HELLO.
struct Session {
  SessionId id;
  NodeId node_id;
  Peer peer;
  std::string key;                  // of that connection, or empty
  PublicMetaInfo meta;              // loaded_models: as of the last HELLO or HEARTBEAT
  std::vector<AssignmentRef> held;  // likewise
  bool draining = false;            // said LEAVE; the registry sets it
  bool suspect = false;             // silent for too long; likewise
  bool cut = false;         // its connection has ended, and no HELLO has come over a new one
  bool spoke = false;       // its next beat is news: it spoke of tasks, or the dispatcher is new
  std::size_t prepaid = 0;  // units: what it may still say of its tasks at no price
  std::uint64_t last_beat = 0;    // the number of its last HEARTBEAT
  Duration tell_of_rivals_at{0};  // people are not told before that others ask for its node id

  /// Whether it may be taken for alive, so that nobody else gets its node id.
  bool beats() const { return !suspect && !cut; }

  ProviderState state() const;
  msg::ProviderEntry entry() const;
};

/// At most one session per node id and per connection. Pointers stay good until remove(). Registers
/// how many sessions there are in each state.
class Registry {
 public:
  explicit Registry(Metrics& metrics);
  Registry(const Registry&) = delete;

  std::size_t size() const { return sessions_.size(); }
  Session* find(const SessionId& id);
  Session* find_node(const NodeId& node_id);
  Session* find_peer(std::string_view peer);

  /// `session` must be new in all three respects.
  Session& add(Session session);
  /// The session goes on over `peer`; its old connection is forgotten.
  void rebind(Session& session, std::string_view peer);
  void remove(const SessionId& id);
  void set_suspect(Session& session, bool suspect);
  void set_draining(Session& session);
  /// The next beat of every session is passed on, whatever it says.
  void expect_beats();

  /// All sessions in the order of their ids.
  const std::map<SessionId, Session>& sessions() const { return sessions_; }

  /// Aborts when something is wrong.
  void check() const;

 private:
  using Counts = std::array<std::size_t, kMaxProviderState + 1>;

  std::size_t& count(ProviderState state) { return counts_[static_cast<std::size_t>(state)]; }

  std::map<SessionId, Session> sessions_;
  std::unordered_map<NodeId, Session*> by_node_;
  StringMap<Session*> by_peer_;
  Counts counts_{};  // of the sessions in each state
};

}  // namespace genai::broker
