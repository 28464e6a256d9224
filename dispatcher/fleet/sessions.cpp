// Sessions of nodes: which are there, at which broker, and whether they can be given work.
#include <algorithm>
#include <utility>

#include "dispatcher/fleet/membership.h"
#include "protocol/base/check.h"
#include "protocol/base/planted.h"
#include "protocol/wire/node.h"

namespace genai::dispatcher {

using namespace fleet_event;

Reach reach_of(ProviderState state) {
  switch (state) {
    case ProviderState::kSuspect:
      return Reach::kSuspect;
    case ProviderState::kDraining:
      return Reach::kDraining;
    default:
      return Reach::kOnline;
  }
}

LogEvent node_line(std::string text, const Session& session, std::string reason) {
  LogEvent event{LogEvent::Level::kInfo,
                 std::move(text),
                 {{"node_id", session.node_id.str()}, {"session", session.id.short_hex()}}};
  if (!reason.empty()) event.fields.emplace_back("reason", std::move(reason));
  return event;
}

const Session* Membership::find(const SessionId& session) const {
  const auto it = sessions_.find(session);
  return it == sessions_.end() ? nullptr : it->second.get();
}

Session* Membership::session_of(const SessionId& session) {
  return const_cast<Session*>(find(session));
}

Session* Membership::find_node(const NodeId& node) {
  const auto it = nodes_.find(node);
  return it == nodes_.end() ? nullptr : it->second;
}

Session& Membership::add(const msg::ProviderEntry& entry, std::size_t broker) {
  auto owned = std::make_unique<Session>();
  Session& session = *owned;
  session.id = entry.session;
  session.node_id = entry.node_id;
  session.broker = broker;
  if (free_indexes_.empty()) {
    session.index = by_index_.size();
    by_index_.push_back(&session);
  } else {
    session.index = free_indexes_.back();
    free_indexes_.pop_back();
    by_index_[session.index] = &session;
  }
  sessions_.emplace(entry.session, std::move(owned));
  nodes_[entry.node_id] = &session;
  return session;
}

void Membership::remove(Session& session) {
  set_lost_at(session, kNever);
  by_index_[session.index] = nullptr;
  free_indexes_.push_back(session.index);
  if (find_node(session.node_id) == &session) nodes_.erase(session.node_id);
  sessions_.erase(SessionId(session.id));
}

void Membership::set_lost_at(Session& session, Duration at) {
  if (session.lost_at != kNever) losses_due_.erase({session.lost_at, session.index});
  session.lost_at = at;
  if (at != kNever) losses_due_.emplace(at, session.index);
}

/// Enters or refreshes a session.
void Membership::join(std::size_t broker, msg::ProviderEntry& entry, bool says_hello,
                      const Now& now) {
  Session* session = session_of(entry.session);
  if (!session) {
    if (Session* old = find_node(entry.node_id)) {
      const std::size_t former = old->broker;
      // That it began anew, here or at another broker, is no fault of what it was executing.
      lose(*old, Cause::kNobody, ErrorCode::kProviderLost, "replaced by a new session", now);
      if (former != broker) links_[former].taken_over.insert(entry.node_id);
    }
    session = &add(entry, broker);
    tell(node_line("node joined", *session));
  }
  if (session->broker != broker) links_[session->broker].elsewhere.insert(entry.session);
  session->broker = broker;
  tell(Joined{entry.session, entry.node_id, std::move(entry.meta), says_hello});
  set_reach(*session, reach_of(entry.state), now);
}

void Membership::lose(Session& session, Cause cause, ErrorCode code, const std::string& reason,
                      const Now& now) {
  tell(node_line(cause == Cause::kDrain ? "node left" : "node lost", session, reason));
  tell(Lost{session.id, cause, code, reason, sessions_.size()});
  ask_elsewhere(session, now);
  remove(session);
}

void Membership::set_reach(Session& session, Reach reach, const Now& now) {
  if (reach != Reach::kUnreachable || session.reach != reach) set_lost_at(session, kNever);
  session.reach = reach;
  tell(ReachChanged{session.id, reach});
  if (reach == Reach::kSuspect || reach == Reach::kUnreachable) ask_elsewhere(session, now);
}

/// Nodes go on working while their broker is away. Requeueing what they hold helps only if other
/// nodes can be reached; otherwise it would merely run twice. So their grace runs only while some
/// broker is up.
void Membership::set_graces(const Now& now) {
  const bool running = any_link_up();
  for (const auto& [id, session] : sessions_) {
    if (session->reach != Reach::kUnreachable) continue;
    if (running == (session->lost_at != kNever)) continue;
    set_lost_at(*session, running ? now.mono + times_.lost : kNever);
  }
}

/// Whether one node uses the session of another, which its broker cannot know when that is at
/// another broker.
bool Membership::is_stolen(std::size_t broker, const msg::ProviderEntry& entry) {
  const Session* session = find(entry.session);
  if (!session || session->node_id == entry.node_id) return false;
  links_[broker].elsewhere.insert(entry.session);  // whose it is will show
  tell(Malformed{"a node uses the session of another",
                 "node_id",
                 entry.node_id.str(),
                 {ErrorCode::kNotAllowed, "the session is that of " + session->node_id.str()}});
  return true;
}

bool Membership::is_online_elsewhere(std::size_t broker, const Session* session) const {
  return session && session->broker != broker && links_[session->broker].up &&
         (session->reach == Reach::kOnline || session->reach == Reach::kDraining);
}

/// A node that has moved to another broker, or was started anew there, stays in the list of the
/// former until that has judged its silence. A list is no news: only a HELLO takes a node over.
bool Membership::keep_elsewhere(std::size_t broker, const msg::ProviderEntry& entry) {
  Link& link = links_[broker];
  if (const Session* same = find(entry.session)) {
    if (!is_online_elsewhere(broker, same)) return false;
    link.elsewhere.insert(entry.session);
    return true;
  }
  if (!is_online_elsewhere(broker, find_node(entry.node_id))) return false;
  link.taken_over.insert(entry.node_id);
  return true;
}

/// Each broker sees only one of two processes under one node id, so it welcomes both.
void Membership::tell_node_id_in_use(std::size_t broker, const msg::ProviderEntry& entry) {
  const Session& serving = *find_node(entry.node_id);
  const msg::ErrorReply in_use{
      0, ErrorCode::kNodeIdInUse,
      "another process serves under this node_id at another broker; this one gets no work until "
      "that one has left or is silent"};
  tell(SendToBroker{broker, msg::ToNodes{{{entry.session, Blob(encode(ToNode(in_use)))}}}});
  tell(LogEvent{LogEvent::Level::kWarn,
                "two nodes under one node id at two brokers: one of them gets no work",
                {{"node_id", entry.node_id.str()},
                 {"serving_at", links_[serving.broker].endpoint},
                 {"waiting_at", links_[broker].endpoint}}});
}

/// The node is not heard any more where it was: it may be at a broker that lists it too.
void Membership::ask_elsewhere(const Session& session, const Now& now) {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[i];
    if (!link.up || GENAI_PLANTED(kForgetTakenOver)) continue;
    if (!link.elsewhere.contains(session.id) && !link.taken_over.contains(session.node_id))
      continue;
    if (std::exchange(link.asks, true)) continue;
    link.hello_at = now.mono;
    say_hello(i, now);
  }
}

}  // namespace genai::dispatcher
