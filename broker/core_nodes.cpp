// The core's half that faces the nodes.
#include <utility>

#include "broker/answers.h"
#include "broker/core.h"
#include "protocol/base/limits.h"
#include "protocol/base/overloaded.h"
#include "protocol/base/planted.h"
#include "protocol/wire/codec.h"

namespace genai::broker {
namespace {

using Kind = Notice::Kind;

// Of what a key or connection may ask in a second: metadata is checked and passed on with each
// HELLO.
constexpr std::size_t kHelloUnits = 1000;
constexpr std::size_t kRefusalUnits = 1000;
// Each is looked up, and answered when it is unknown, by a dispatcher that all nodes share.
constexpr std::size_t kHeldUnits = 10;
constexpr std::size_t kRefusedBytesPerUnit = 100;
// To pass over fields of a newer release costs something too.
constexpr std::size_t kReadBytesPerUnit = 1000;
// Of what is passed on: 1,000,000 values and 200 MiB in a second.
constexpr std::size_t kValuesPerUnit = 10;
constexpr std::size_t kBytesPerUnit = 2048;

std::string silence_text(Duration silence) {
  return "no heartbeat for " + std::to_string(to_ms(silence)) + " ms";
}

/// A dispatcher refuses a snapshot as a whole, so one entry that it would refuse (metadata that
/// grew over its limit) must not get in: only the codec itself knows for sure.
std::optional<Error> entry_problem(const msg::ProviderEntry& entry) {
  const msg::Delta probe{{}, 0, {msg::Delta::Joined{entry}}};
  const auto decoded = decode<LinkToDispatcher>(Blob(encode(probe)));
  if (decoded) return std::nullopt;
  return decoded.error();
}

}  // namespace

void Core::handle_node_frame(std::string_view peer, const Identity& who, const Blob& frame,
                             const Now& now, Effects& effects) {
  advance(now, effects);
  if (who.kind != Identity::Kind::kNode && who.kind != Identity::Kind::kAnyone) {
    if (Session* session = registry_.find_peer(peer)) return evict(*session, effects);
    return refuse_node_frame(peer, who, frame.size(),
                             {ErrorCode::kNotAllowed, "this key is not authorized for a node"}, now,
                             effects);
  }
  if (frame.size() > limits::kMaxFrameBytes)
    return refuse_node_frame(peer, who, frame.size(),
                             {ErrorCode::kTooLarge, "frame: larger than 64 MiB"}, now, effects);
  const auto type = peek_type(frame.view(), Direction::kFromNode);
  if (!type && GENAI_PLANTED(kMalformedEndsNodes) && registry_.find_peer(peer))
    return end_session(*registry_.find_peer(peer), ProviderState::kLost, "malformed", effects);
  if (!type) return refuse_node_frame(peer, who, frame.size(), type.error(), now, effects);
  Session* session = registry_.find_peer(peer);
  // A connection is one key's; whoever comes under its name with another one is somebody else.
  if (session && session->key != who.key) session = nullptr;
  if (!session && *type != msg::Hello::kKind.number) {
    if (is_error_type(*type)) return void(++counters_.errors_received);
    const Error unknown{ErrorCode::kUnknownSession, "say HELLO first"};
    return answer_node(peer, error_reply(unknown), effects);
  }
  if (!rates_.may_ask(payer(who, peer), now.mono)) {
    // It is too loud, not silent; to read whether that is sound is what it has not paid for.
    if (session) note_life(*session, effects);
    return refuse_node_frame(
        peer, who, 0,
        {ErrorCode::kSlowDown, "this key or connection says more than a second allows"}, now,
        effects);
  }
  if (is_node_task_type(*type)) return on_task_frame(*session, who, frame, now, effects);
  if (frame.size() > limits::kMaxControlFrameBytes)
    return refuse_node_frame(peer, who, frame.size(),
                             {ErrorCode::kTooLarge, "frame: larger than 1 MiB"}, now, effects);
  const auto message = decode<NodeToBroker>(frame);
  if (message) {
    rates_.charge(payer(who, peer), frame.size() / kReadBytesPerUnit, now.mono);
    return on_node_message(peer, who, session, *message, now, effects);
  }
  if (is_error_type(*type))
    ++counters_.malformed_node_frames;
  else
    refuse_node_frame(peer, who, frame.size(), message.error(), now, effects);
}

/// For the dispatcher, who reads it: what that costs is counted here, where there is somebody to
/// pay.
void Core::on_task_frame(Session& session, const Identity& who, const Blob& frame, const Now& now,
                         Effects& effects) {
  const auto values = count_values(frame.view());
  if (!values)
    return refuse_node_frame(session.peer, who, frame.size(), values.error(), now, effects);
  note_life(session, effects);
  rates_.charge(payer(who, session.peer),
                1 + *values / kValuesPerUnit + frame.size() / kBytesPerUnit, now.mono);
  session.spoke = true;
  if (!dispatcher_) ++counters_.node_frames_dropped;
  outbox_.put(msg::Parcel{session.id, frame}, effects);
}

void Core::on_node_message(std::string_view peer, const Identity& who, Session* session,
                           const NodeToBroker& message, const Now& now, Effects& effects) {
  std::visit(Overloaded{[&](const msg::Hello& hello) { on_hello(peer, who, hello, now, effects); },
                        [&](const msg::Heartbeat& beat) {
                          on_heartbeat(who, *session, beat, now, effects);
                        },
                        [&](const msg::Leave& leave) {
                          note_life(*session, effects);
                          on_leave(*session, leave, effects);
                        },
                        [&](const msg::Bye& bye) {
                          note_life(*session, effects);
                          on_bye(*session, bye, effects);
                        },
                        [&](const msg::ErrorReply&) {
                          note_life(*session, effects);
                          ++counters_.errors_received;
                        }},
             message);
}

void Core::on_hello(std::string_view peer, const Identity& who, const msg::Hello& hello,
                    const Now& now, Effects& effects) {
  rates_.charge(payer(who, peer), kHelloUnits, now.mono);
  const msg::ProviderEntry entry{hello.session, hello.node_id, {}, hello.meta, hello.held};
  if (const auto problem = entry_problem(entry))
    return refuse_node_frame(peer, who, 0, *problem, now, effects);
  if (const auto problem = hello_problem(peer, who, hello))
    return refuse_hello(peer, hello, *problem, now, effects);
  if (Session* session = registry_.find(hello.session))
    resume_session(*session, peer, who, hello, effects);
  else
    start_session(peer, who, hello, effects);
  const Timing& timing = config_.timing;
  answer_node(peer,
              msg::Welcome{config_.instance, to_ms(timing.heartbeat), to_ms(timing.suspect),
                           to_ms(timing.lost)},
              effects);
}

std::optional<Error> Core::hello_problem(std::string_view peer, const Identity& who,
                                         const msg::Hello& hello) {
  if (who.kind == Identity::Kind::kNode && who.node != hello.node_id &&
      !GENAI_PLANTED(kTrustNodeId))
    return Error{ErrorCode::kNotAllowed, "HELLO.node_id: this key is for another node"};
  const Session* here = registry_.find_peer(peer);
  if (here && here->key != who.key)
    return Error{ErrorCode::kNotAllowed, "this connection belongs to another key"};
  if (here && here->node_id != hello.node_id)
    return Error{ErrorCode::kNotAllowed, "HELLO.node_id: this connection belongs to another node"};
  const Session* known = registry_.find(hello.session);
  if (known && known->node_id != hello.node_id)
    return Error{ErrorCode::kBadField, "HELLO.session: belongs to another node_id"};
  if (known) return std::nullopt;
  const Session* current = registry_.find_node(hello.node_id);
  // Else two processes with one name would replace each other for ever. On the connection of the
  // former it is the same process.
  if (current && current->beats() && current != here)
    return Error{ErrorCode::kNodeIdInUse,
                 "another process serves under this node_id: stop it, or choose another one; this "
                 "process is let in when that one has left or is silent"};
  if (!current && registry_.size() >= config_.max_nodes)
    return Error{ErrorCode::kTooManyNodes,
                 "the limit is " + std::to_string(config_.max_nodes) + " nodes"};
  return std::nullopt;
}

void Core::refuse_hello(std::string_view peer, const msg::Hello& hello, const Error& problem,
                        const Now& now, Effects& effects) {
  bool is_news = true;
  if (problem.code == ErrorCode::kNodeIdInUse) {
    Session& holder = *registry_.find_node(hello.node_id);
    is_news = now.mono >= holder.tell_of_rivals_at;
    if (is_news) holder.tell_of_rivals_at = now.mono + kRivalNotice;
    // Says nothing new, but shows whether its connection is still there: one that was killed and
    // started again need not wait until its former self is silent for long enough.
    answer_node(holder.peer, msg::HeartbeatReply{holder.last_beat}, effects);
  }
  if (is_news && node_refusals_.allow(now.mono))
    effects.notices.push_back({Kind::kNodeRefused, hello.node_id, hello.session,
                               std::string(name(problem.code)) + ": " + problem.detail,
                               node_refusals_.take_suppressed() + 1});
  answer_node(peer, error_reply(problem), effects);
}

/// Who has ended is lost with what it executed. Who was silent, or began anew itself, is just not
/// in charge any more: to the dispatcher the new session takes its place, and nobody is blamed.
void Core::take_node_id_from(Session& old, Effects& effects) {
  if (old.cut)
    return end_session(old, ProviderState::kLost, "its connection ended; replaced by a new session",
                       effects);
  effects.notices.push_back({Kind::kNodeLost, old.node_id, old.id, "replaced by a new session"});
  const SessionId id = old.id;
  monitor_.forget(id);
  registry_.remove(id);
}

void Core::start_session(std::string_view peer, const Identity& who, const msg::Hello& hello,
                         Effects& effects) {
  if (Session* old = registry_.find_node(hello.node_id)) take_node_id_from(*old, effects);
  const Session& session =
      registry_.add({hello.session, hello.node_id, Peer(peer), who.key, hello.meta, hello.held});
  monitor_.heard(session.id);
  outbox_.put(msg::Delta::Joined{session.entry()}, effects);
  effects.notices.push_back({Kind::kNodeJoined, session.node_id, session.id, {}});
}

void Core::resume_session(Session& session, std::string_view peer, const Identity& who,
                          const msg::Hello& hello, Effects& effects) {
  const bool reconnected = session.peer != peer;
  if (reconnected) registry_.rebind(session, peer);
  session.cut = false;
  session.key = who.key;
  session.meta = hello.meta;
  session.held = hello.held;
  session.suspect = false;
  monitor_.heard(session.id);
  outbox_.put(msg::Delta::Joined{session.entry()}, effects);
  if (reconnected)
    effects.notices.push_back({Kind::kNodeRejoined, session.node_id, session.id, {}});
}

void Core::on_heartbeat(const Identity& who, Session& session, const msg::Heartbeat& beat,
                        const Now& now, Effects& effects) {
  rates_.charge(payer(who, session.peer),
                1 + kHeldUnits * (beat.held.size() + beat.loaded_models.size()), now.mono);
  const bool models_changed = beat.loaded_models != session.meta.loaded_models;
  if (models_changed) {
    msg::ProviderEntry entry = session.entry();
    entry.meta.loaded_models = beat.loaded_models;
    if (const auto problem = entry_problem(entry))
      return refuse_node_frame(session.peer, who, 0, *problem, now, effects);
  }
  note_life(session, effects);
  const bool news = models_changed || beat.held != session.held;
  session.held = beat.held;
  session.meta.loaded_models = beat.loaded_models;
  session.last_beat = beat.seq;
  // What a node has just acknowledged and holds no more shows only in an empty beat.
  if (std::exchange(session.spoke, false) || news || !beat.held.empty())
    outbox_.put(msg::Delta::Beat{session.id, beat.held, beat.loaded_models}, effects);
  answer_node(session.peer, msg::HeartbeatReply{beat.seq}, effects);
}

void Core::on_leave(Session& session, const msg::Leave& leave, Effects& effects) {
  if (session.draining) return;
  session.draining = true;
  outbox_.put(msg::Delta::StateChanged{session.id, session.state(), leave.reason}, effects);
  effects.notices.push_back({Kind::kNodeDraining, session.node_id, session.id, leave.reason});
}

void Core::on_bye(Session& session, const msg::Bye& bye, Effects& effects) {
  answer_node(session.peer, msg::Goodbye{}, effects);
  end_session(session, ProviderState::kLeft, bye.reason, effects);
}

void Core::note_life(Session& session, Effects& effects) {
  monitor_.heard(session.id);
  if (!session.suspect) return;
  session.suspect = false;
  const std::string reason = "heard again";
  outbox_.put(msg::Delta::StateChanged{session.id, session.state(), reason}, effects);
  effects.notices.push_back({Kind::kNodeBack, session.node_id, session.id, reason});
}

/// Its key stands for this node no longer.
void Core::evict(Session& session, Effects& effects) {
  answer_node(session.peer, error_reply({ErrorCode::kNotAllowed, "this key was revoked"}), effects);
  end_session(session, ProviderState::kLost, "its key was revoked", effects);
}

void Core::handle_keys_revoked(const KeySet& keys, const Now& now, Effects& effects) {
  advance(now, effects);
  std::vector<SessionId> revoked;
  for (const auto& [id, session] : registry_.sessions())
    if (!session.key.empty() && keys.contains(session.key)) revoked.push_back(id);
  for (const SessionId& id : revoked) evict(*registry_.find(id), effects);
  if (dispatcher_ && !dispatcher_->key.empty() && keys.contains(dispatcher_->key)) {
    answer_link(dispatcher_->peer, error_reply({ErrorCode::kNotAllowed, "this key was revoked"}),
                effects);
    drop_dispatcher("its key was revoked", effects);
  }
}

void Core::end_session(Session& session, ProviderState end, const std::string& reason,
                       Effects& effects) {
  outbox_.put(msg::Delta::StateChanged{session.id, end, reason}, effects);
  const Kind kind = end == ProviderState::kLeft ? Kind::kNodeLeft : Kind::kNodeLost;
  effects.notices.push_back({kind, session.node_id, session.id, reason});
  const SessionId id = session.id;
  monitor_.forget(id);
  registry_.remove(id);
}

void Core::judge_nodes(Effects& effects) {
  const HeartbeatMonitor::Verdicts verdicts = monitor_.judge();
  for (const auto& [id, silence] : verdicts.suspect) {
    Session& session = *registry_.find(id);
    session.suspect = true;
    const std::string reason = silence_text(silence);
    outbox_.put(msg::Delta::StateChanged{id, session.state(), reason}, effects);
    effects.notices.push_back({Kind::kNodeSuspect, session.node_id, id, reason});
  }
  if (verdicts.reprieved > 0)
    effects.notices.push_back({Kind::kMassVanish,
                               {},
                               {},
                               "most nodes vanished at once: suspecting this machine's own network",
                               verdicts.reprieved});
  for (const auto& [id, silence] : verdicts.lost)
    end_session(*registry_.find(id), ProviderState::kLost, silence_text(silence), effects);
}

void Core::refuse_node_frame(std::string_view peer, const Identity& who, std::size_t frame_bytes,
                             const Error& error, const Now& now, Effects& effects) {
  ++counters_.malformed_node_frames;
  notice_malformed(node_limits_, Kind::kMalformedNodeFrame, error, now, effects);
  if (!rates_.may_ask(payer(who, peer), now.mono)) return;
  rates_.charge(payer(who, peer), kRefusalUnits + frame_bytes / kRefusedBytesPerUnit, now.mono);
  if (may_answer(node_limits_, now)) answer_node(peer, error_reply(error), effects);
}

}  // namespace genai::broker
