#include "broker/registry.h"

#include <cassert>
#include <utility>

namespace genai::broker {

// Silence weighs more than the wish to leave: nobody knows whether it still works.
ProviderState Session::state() const {
  if (suspect) return ProviderState::kSuspect;
  return draining ? ProviderState::kDraining : ProviderState::kOnline;
}

msg::ProviderEntry Session::entry() const { return {id, node_id, state(), meta, held}; }

Session* Registry::find(const SessionId& id) {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

Session* Registry::find_node(const NodeId& node_id) {
  const auto it = by_node_.find(node_id);
  return it == by_node_.end() ? nullptr : it->second;
}

Session* Registry::find_peer(std::string_view peer) {
  const auto it = by_peer_.find(peer);
  return it == by_peer_.end() ? nullptr : it->second;
}

Session& Registry::add(Session session) {
  const SessionId id = session.id;
  const auto [it, added] = sessions_.try_emplace(id, std::move(session));
  assert(added);
  Session& stored = it->second;
  const bool new_node = by_node_.emplace(stored.node_id, &stored).second;
  const bool new_peer = by_peer_.emplace(stored.peer, &stored).second;
  assert(new_node && new_peer);
  static_cast<void>(added && new_node && new_peer);
  return stored;
}

void Registry::rebind(Session& session, std::string_view peer) {
  by_peer_.erase(session.peer);
  session.peer = peer;
  by_peer_[session.peer] = &session;
}

void Registry::remove(const SessionId& id) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  by_node_.erase(it->second.node_id);
  by_peer_.erase(it->second.peer);
  sessions_.erase(it);
}

void Registry::expect_beats() {
  for (auto& [id, session] : sessions_) session.spoke = true;
}

std::optional<std::string> Registry::check_invariants() const {
  if (by_node_.size() != sessions_.size()) return "registry: a node id without its one session";
  if (by_peer_.size() != sessions_.size()) return "registry: a connection without its one session";
  for (const auto& [id, session] : sessions_) {
    if (session.id != id) return "registry: session stored under another id";
    const auto node = by_node_.find(session.node_id);
    if (node == by_node_.end() || node->second != &session) return "registry: node id index";
    const auto peer = by_peer_.find(session.peer);
    if (peer == by_peer_.end() || peer->second != &session) return "registry: connection index";
  }
  return std::nullopt;
}

}  // namespace genai::broker
