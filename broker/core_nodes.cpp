// The core's half that faces the nodes.
#include <algorithm>
#include <utility>

#include "broker/answers.h"
#include "broker/core.h"
#include "protocol/base/limits.h"
#include "protocol/base/overloaded.h"
#include "protocol/base/planted.h"
#include "protocol/wire/checker.h"
#include "protocol/wire/codec.h"

namespace genai::broker {
namespace {

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

// Arrays around an entry in a message to the dispatcher: DELTA, its changes, the change.
constexpr std::size_t kAroundEntry = 3;

/// A dispatcher refuses a snapshot as a whole, so one entry that it would refuse (metadata that
/// grew over its limit) must not get in.
std::optional<Error> entry_problem(const msg::ProviderEntry& entry, const MessageKind& of) {
  return wire::problem_in(entry, of.name.data(), kAroundEntry);
}

}  // namespace

void Core::handle(const NodeFrame& event, const Now& now) {
  const Sender& from = event.from;
  const auto& [peer, who] = from;
  const Blob& frame = event.frame;
  advance(now);
  if (who.kind != Identity::Kind::kNode && who.kind != Identity::Kind::kAnyone) {
    if (Session* session = registry_.find_peer(peer)) return evict(*session);
    return refuse_node_frame(
        from, frame.size(), {ErrorCode::kNotAllowed, "this key is not authorized for a node"}, now);
  }
  if (frame.size() > limits::kMaxFrameBytes)
    return refuse_node_frame(from, frame.size(),
                             {ErrorCode::kTooLarge, "frame: larger than 64 MiB"}, now);
  const auto type = peek_type(frame.view(), Direction::kFromNode);
  if (!type && GENAI_PLANTED(kMalformedEndsNodes) && registry_.find_peer(peer))
    return end_session(*registry_.find_peer(peer), ProviderState::kLost, "malformed");
  if (!type) return refuse_node_frame(from, frame.size(), type.error(), now);
  Session* session = registry_.find_peer(peer);
  // A connection is one key's; whoever comes under its name with another one is somebody else.
  if (session && session->key != who.key) session = nullptr;
  if (!session && *type != msg::Hello::kKind.number) {
    if (is_error_type(*type)) return void(++errors_received_total_);
    const Error unknown{ErrorCode::kUnknownSession, "say HELLO first"};
    return answer_node(peer, error_reply(unknown));
  }
  if (!rates_.may_ask(payer(who, peer), now.mono)) {
    // It is too loud, not silent; to read whether that is sound is what it has not paid for.
    if (session) note_life(*session);
    return refuse_node_frame(
        from, 0, {ErrorCode::kSlowDown, "this key or connection says more than a second allows"},
        now);
  }
  if (is_node_task_type(*type)) return on_task_frame(*session, who, frame, now);
  if (frame.size() > limits::kMaxControlFrameBytes)
    return refuse_node_frame(from, frame.size(), {ErrorCode::kTooLarge, "frame: larger than 1 MiB"},
                             now);
  const auto message = decode<NodeToBroker>(frame);
  if (message) {
    rates_.charge(payer(who, peer), frame.size() / kReadBytesPerUnit, now.mono);
    return on_node_message(from, session, *message, now);
  }
  if (is_error_type(*type))
    ++malformed_nodes_total_;
  else
    refuse_node_frame(from, frame.size(), message.error(), now);
}

/// For the dispatcher, who reads it: what that costs is counted here, where there is somebody to
/// pay.
void Core::on_task_frame(Session& session, const Identity& who, const Blob& frame, const Now& now) {
  const auto values = count_values(frame.view());
  if (!values) return refuse_node_frame({session.peer, who}, frame.size(), values.error(), now);
  note_life(session);
  const std::size_t units = 1 + *values / kValuesPerUnit + frame.size() / kBytesPerUnit;
  const std::size_t prepaid = std::min(units, session.prepaid);
  session.prepaid -= prepaid;
  rates_.charge(payer(who, session.peer), units - prepaid, now.mono);
  session.spoke = true;
  outbox_.put(msg::Parcel{session.id, frame});
}

void Core::on_node_message(const Sender& from, Session* session, const NodeToBroker& message,
                           const Now& now) {
  std::visit(
      Overloaded{[&](const msg::Hello& hello) { on_hello(from, hello, now); },
                 [&](const msg::Heartbeat& beat) { on_heartbeat(from.who, *session, beat, now); },
                 [&](const msg::Leave& leave) {
                   note_life(*session);
                   on_leave(*session, leave);
                 },
                 [&](const msg::Bye& bye) {
                   note_life(*session);
                   on_bye(*session, bye);
                 },
                 [&](const msg::ErrorReply&) {
                   note_life(*session);
                   ++errors_received_total_;
                 }},
      message);
}

void Core::on_hello(const Sender& from, const msg::Hello& hello, const Now& now) {
  rates_.charge(payer(from.who, from.peer), kHelloUnits, now.mono);
  const msg::ProviderEntry entry{hello.session, hello.node_id, {}, hello.meta, hello.held};
  if (const auto problem = entry_problem(entry, hello.kKind))
    return refuse_node_frame(from, 0, *problem, now);
  if (const auto problem = hello_problem(from, hello))
    return refuse_hello(from, hello, *problem, now);
  if (Session* session = registry_.find(hello.session))
    resume_session(*session, from, hello);
  else
    start_session(from, hello);
  const Timing& timing = config_.timing;
  answer_node(from.peer, msg::Welcome{config_.instance, to_ms(timing.heartbeat),
                                      to_ms(timing.suspect), to_ms(timing.lost)});
}

std::optional<Error> Core::hello_problem(const Sender& from, const msg::Hello& hello) {
  const auto& [peer, who] = from;
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

void Core::refuse_hello(const Sender& from, const msg::Hello& hello, const Error& problem,
                        const Now& now) {
  ++refused_nodes_total_;
  bool is_news = true;
  if (problem.code == ErrorCode::kNodeIdInUse) {
    Session& holder = *registry_.find_node(hello.node_id);
    is_news = now.mono >= holder.tell_of_rivals_at;
    if (is_news) holder.tell_of_rivals_at = now.mono + kRivalNotice;
    // Says nothing new, but shows whether its connection is still there: one that was killed and
    // started again need not wait until its former self is silent for long enough.
    answer_node(holder.peer, msg::HeartbeatReply{holder.last_beat});
  }
  if (is_news && node_refusals_.allow(now.mono)) {
    LogEvent event = about_node(line::kNodeRefused, hello.node_id, hello.session, text_of(problem));
    event.fields.emplace_back("count", node_refusals_.take_suppressed() + 1);
    note(std::move(event));
  }
  answer_node(from.peer, error_reply(problem));
}

/// Who has ended is lost with what it executed. Who was silent, or began anew itself, is just not
/// in charge any more: to the dispatcher the new session takes its place, and nobody is blamed.
void Core::take_node_id_from(Session& old) {
  if (old.cut)
    return end_session(old, ProviderState::kLost,
                       "its connection ended; replaced by a new session");
  ++replaced_total_;
  note(about_node(line::kNodeLost, old, "replaced by a new session"));
  remove_session(old);
}

void Core::start_session(const Sender& from, const msg::Hello& hello) {
  if (Session* old = registry_.find_node(hello.node_id)) take_node_id_from(*old);
  const Session& session = registry_.add(
      {hello.session, hello.node_id, Peer(from.peer), from.who.key, hello.meta, hello.held});
  monitor_.heard(session.id);
  outbox_.put(msg::Delta::Joined{session.entry()});
  ++joined_total_;
  note(about_node(line::kNodeJoined, session));
}

void Core::resume_session(Session& session, const Sender& from, const msg::Hello& hello) {
  const auto& [peer, who] = from;
  const bool reconnected = session.peer != peer;
  if (reconnected) registry_.rebind(session, peer);
  session.cut = false;
  session.key = who.key;
  session.meta = hello.meta;
  session.held = hello.held;
  registry_.set_suspect(session, false);
  monitor_.heard(session.id);
  outbox_.put(msg::Delta::Joined{session.entry()});
  if (!reconnected) return;
  ++rejoined_total_;
  note(about_node(line::kNodeRejoined, session));
}

void Core::on_heartbeat(const Identity& who, Session& session, const msg::Heartbeat& beat,
                        const Now& now) {
  rates_.charge(payer(who, session.peer),
                1 + kHeldUnits * (beat.held.size() + beat.loaded_models.size()), now.mono);
  const bool models_changed = beat.loaded_models != session.meta.loaded_models;
  if (models_changed) {
    msg::ProviderEntry entry = session.entry();
    entry.meta.loaded_models = beat.loaded_models;
    if (const auto problem = entry_problem(entry, beat.kKind))
      return refuse_node_frame({session.peer, who}, 0, *problem, now);
  }
  note_life(session);
  const bool news = models_changed || beat.held != session.held;
  session.held = beat.held;
  session.meta.loaded_models = beat.loaded_models;
  session.last_beat = beat.seq;
  // What a node has just acknowledged and holds no more shows only in an empty beat.
  if (std::exchange(session.spoke, false) || news || !beat.held.empty())
    outbox_.put(msg::Delta::Beat{session.id, beat.held, beat.loaded_models});
  ++heartbeats_total_;
  answer_node(session.peer, msg::HeartbeatReply{beat.seq});
}

void Core::on_leave(Session& session, const msg::Leave& leave) {
  if (session.draining) return;
  registry_.set_draining(session);
  outbox_.put(msg::Delta::StateChanged{session.id, session.state(), leave.reason});
  note(about_node(line::kNodeDraining, session, leave.reason));
}

void Core::on_bye(Session& session, const msg::Bye& bye) {
  answer_node(session.peer, msg::Goodbye{});
  end_session(session, ProviderState::kLeft, bye.reason);
}

void Core::note_life(Session& session) {
  monitor_.heard(session.id);
  if (!session.suspect) return;
  registry_.set_suspect(session, false);
  const std::string reason = "heard again";
  outbox_.put(msg::Delta::StateChanged{session.id, session.state(), reason});
  note(about_node(line::kNodeBack, session, reason));
}

/// Its key stands for this node no longer.
void Core::evict(Session& session) {
  answer_node(session.peer, error_reply(key_revoked()));
  end_session(session, ProviderState::kLost, "its key was revoked");
}

void Core::handle(const KeysRevoked& event, const Now& now) {
  advance(now);
  const auto is_revoked = [&](const std::string& key) {
    return !key.empty() && event.keys.contains(key);
  };
  std::vector<SessionId> revoked;
  for (const auto& [id, session] : registry_.sessions())
    if (is_revoked(session.key)) revoked.push_back(id);
  for (const SessionId& id : revoked) evict(*registry_.find(id));
  if (dispatcher_ && is_revoked(dispatcher_->key)) {
    outbox_.answer(dispatcher_->peer, error_reply(key_revoked()));
    drop_dispatcher("its key was revoked");
  }
}

void Core::end_session(Session& session, ProviderState end, const std::string& reason) {
  const bool left = end == ProviderState::kLeft;
  ++(left ? left_total_ : lost_total_);
  outbox_.put(msg::Delta::StateChanged{session.id, end, reason});
  note(about_node(left ? line::kNodeLeft : line::kNodeLost, session, reason));
  remove_session(session);
}

void Core::remove_session(const Session& session) {
  const SessionId id = session.id;
  monitor_.forget(id);
  registry_.remove(id);
}

void Core::judge_nodes() {
  const HeartbeatMonitor::Verdicts verdicts = monitor_.judge();
  for (const auto& [id, silence] : verdicts.suspect) {
    Session& session = *registry_.find(id);
    registry_.set_suspect(session, true);
    ++suspected_total_;
    const std::string reason = silence_text(silence);
    outbox_.put(msg::Delta::StateChanged{id, session.state(), reason});
    note(about_node(line::kNodeSuspect, session, reason));
  }
  if (verdicts.reprieved > 0) {
    ++mass_silences_total_;
    LogEvent event = event_of(line::kMassVanish);
    event.fields.emplace_back("nodes", std::uint64_t{verdicts.reprieved});
    note(std::move(event));
  }
  for (const auto& [id, silence] : verdicts.lost)
    end_session(*registry_.find(id), ProviderState::kLost, silence_text(silence));
}

void Core::refuse_node_frame(const Sender& from, std::size_t frame_bytes, const Error& error,
                             const Now& now) {
  ++malformed_nodes_total_;
  note_malformed(node_limits_, line::kMalformedNode, error, now);
  const std::string_view paying = payer(from.who, from.peer);
  if (!rates_.may_ask(paying, now.mono)) return;
  rates_.charge(paying, kRefusalUnits + frame_bytes / kRefusedBytesPerUnit, now.mono);
  if (may_answer(node_limits_, now)) answer_node(from.peer, error_reply(error));
}

void Core::answer_node(std::string_view peer, const ToNode& message) {
  to_nodes_.push_back({Peer(peer), encode(message), std::nullopt});
}

}  // namespace genai::broker
