#include "broker/registry.h"

#include <cassert>
#include <utility>

#include "protocol/base/check.h"

namespace genai::broker {

// Silence weighs more than the wish to leave: nobody knows whether it still works.
ProviderState Session::state() const {
  if (suspect) return ProviderState::kSuspect;
  return draining ? ProviderState::kDraining : ProviderState::kOnline;
}

msg::ProviderEntry Session::entry() const { return {id, node_id, state(), meta, held}; }

Registry::Registry(Metrics& metrics) {
  const auto gauge = [&](std::string name, std::string help, ProviderState state) {
    metrics.gauge(std::move(name), std::move(help), [this, state] { return Value(count(state)); });
  };
  gauge("nodes_online", "Nodes that may be given work.", ProviderState::kOnline);
  gauge("nodes_suspect", "Nodes that have been silent for the suspect time.",
        ProviderState::kSuspect);
  gauge("nodes_draining", "Nodes that are about to leave.", ProviderState::kDraining);
}

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
  ++count(stored.state());
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
  --count(it->second.state());
  sessions_.erase(it);
}

void Registry::set_suspect(Session& session, bool suspect) {
  --count(session.state());
  session.suspect = suspect;
  ++count(session.state());
}

void Registry::set_draining(Session& session) {
  --count(session.state());
  session.draining = true;
  ++count(session.state());
}

void Registry::expect_beats() {
  for (auto& [id, session] : sessions_) session.spoke = true;
}

void Registry::check() const {
  GENAI_CHECK(by_node_.size() == sessions_.size());
  GENAI_CHECK(by_peer_.size() == sessions_.size());
  Counts counts{};
  for (const auto& [id, session] : sessions_) {
    ++counts[static_cast<std::size_t>(session.state())];
    GENAI_CHECK(session.id == id);
    const auto node = by_node_.find(session.node_id);
    GENAI_CHECK(node != by_node_.end() && node->second == &session);
    const auto peer = by_peer_.find(session.peer);
    GENAI_CHECK(peer != by_peer_.end() && peer->second == &session);
  }
  GENAI_CHECK(counts == counts_);
}

}  // namespace genai::broker
