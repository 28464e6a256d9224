// Joining, liveness and leaving. Tasks are in session_tasks.cpp.
#include "tools/node/session_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/wire/codec.h"

namespace genai::node {
namespace {

static_assert(kMaxResultBytes == limits::kMaxResultBytes);

using Kind = node::Event::Kind;

}  // namespace

SessionCore::SessionCore(CoreConfig config, const Now& started)
    : config_(std::move(config)),
      loaded_models_(config_.meta.loaded_models),
      heard_(started.mono),
      expired_at_(started.mono),
      greet_at_(started.mono),
      no_broker_notice_at_(started.mono) {}

void SessionCore::note(Kind kind, std::string text) {
  events_.push_back(node::Event{kind, {}, 0, 0, std::move(text)});
}

void SessionCore::handle(const Frame& frame, const Now& now) {
  if (phase_ == Phase::kEnded) return;
  heard_ = now.mono;
  const auto message = decode<ToNode>(frame.bytes);
  if (!message) {
    note(Kind::kProtocolError, message.error().detail);
    if (joined() &&
        peek_type(frame.bytes.view(), Direction::kToNode) != msg::ErrorReply::kKind.number)
      outbox_.put(msg::ErrorReply{peek_request(frame.bytes.view()), message.error().code,
                                  message.error().detail});
    return;
  }
  std::visit([&](const auto& body) { on(body, now); }, *message);
}

void SessionCore::handle(Unsent, const Now& now) {
  if (phase_ != Phase::kJoining || refused_backoff_ > Duration(0)) return;
  // Most likely the connection is not up yet: no reason to wait for a whole heartbeat.
  greet_at_ = std::min(greet_at_, now.mono + unsent_backoff_);
  unsent_backoff_ = std::min(2 * unsent_backoff_, heartbeat_);
}

void SessionCore::on(const msg::Welcome& welcome, const Now& now) {
  if (phase_ != Phase::kJoining) return;  // the answer to a HELLO that was sent twice
  phase_ = Phase::kJoined;
  heartbeat_ = from_ms(welcome.heartbeat_ms);
  lost_ = std::max(from_ms(welcome.lost_ms), 3 * heartbeat_);
  greet_at_ = now.mono + heartbeat_;
  refused_backoff_ = Duration(0);
  refused_for_ = ErrorCode::kOk;
  unsent_backoff_ = kMinUnsentBackoff;
  no_broker_notice_at_ = now.mono;
  waits_since_ = now.mono;
  note(Kind::kJoined, "broker " + welcome.broker.short_hex());
  if (leaving_) leave_at_ = now.mono;
  say_leave(now);
  send_results(now, true);
}

void SessionCore::on(const msg::Goodbye&, const Now&) {
  if (phase_ == Phase::kBye) end(RunEnd::Kind::kLeft, "left");
}

void SessionCore::on(const msg::ErrorReply& error, const Now& now) {
  switch (error.code) {
    case ErrorCode::kSessionReplaced:
      return give_way(error.detail);
    case ErrorCode::kUnknownSession:
      if (phase_ == Phase::kBye) return end(RunEnd::Kind::kLeft, "left");
      if (!joined()) return;  // an answer to what was sent before the HELLO
      rejoin("the broker does not know this session", now);
      greet_at_ = now.mono;
      return;
    case ErrorCode::kNotAllowed:  // its key was revoked: the broker has ended the session
      if (joined()) rejoin("the broker does not allow this node any more", now);
      [[fallthrough]];
    default:
      if (phase_ == Phase::kJoining) return on_refused({error.code, error.detail}, now);
      // In use at another broker: who knows both says so, and gives this one no work meanwhile.
      const bool in_use = error.code == ErrorCode::kNodeIdInUse;
      note(in_use ? Kind::kRefused : Kind::kProtocolError,
           fmt::format("{}: {}", name(error.code), error.detail));
  }
}

/// Everything on the way is void; held tasks go on and are named in the next HELLO.
void SessionCore::rejoin(const std::string& why, const Now& now) {
  phase_ = Phase::kJoining;
  waits_since_ = now.mono;
  outbox_.clear();
  for (auto& [id, held] : held_) held.resend_at = kNever;
  note(Kind::kReconnecting, why);
}

void SessionCore::on_refused(const Error& error, const Now& now) {
  const bool in_use = error.code == ErrorCode::kNodeIdInUse;
  if (in_use && leaving_) return give_way(error.detail);
  // Its tasks are another's by now. What runs may still be of use, what waits is not.
  if (in_use) drop_queued();
  refused_backoff_ = in_use
                         ? std::clamp(2 * refused_backoff_, kMinInUseBackoff, kMaxInUseBackoff)
                         : std::clamp(2 * refused_backoff_, kMinRefusedBackoff, kMaxRefusedBackoff);
  greet_at_ = now.mono + refused_backoff_;
  if (std::exchange(refused_for_, error.code) == error.code && now.mono < refused_notice_at_)
    return;
  refused_notice_at_ = now.mono + kNoticeAgain;
  note(Kind::kRefused, fmt::format("{}: {}", name(error.code), error.detail));
}

/// Another process has the node id. Who is leaving does not fight for it: else the two could end
/// each other, and nobody would be left.
void SessionCore::give_way(const std::string& why) {
  for (const AssignmentRef& ref : running_) events_.push_back(Stop{ref});
  const std::string text = "another process serves under the node id " + config_.node_id.str();
  if (leaving_) return end(RunEnd::Kind::kLeft, "left: " + text);
  note(Kind::kSessionReplaced, why);
  end(RunEnd::Kind::kSessionReplaced, "session_replaced: " + text);
}

void SessionCore::renew_connection(const Now& now) {
  events_.push_back(Reconnect{});
  heard_ = now.mono;
  greet_at_ = now.mono;
  unsent_backoff_ = kMinUnsentBackoff;
}

Duration SessionCore::silent_at() const {
  // While refused the node says nothing, so the broker does not either.
  if (phase_ == Phase::kJoining && refused_backoff_ > Duration(0))
    return heard_ + refused_backoff_ + lost_;
  return heard_ + lost_;
}

void SessionCore::judge_silence(const Now& now) {
  const Duration gap = now.mono - std::exchange(expired_at_, now.mono);
  // This process itself did not run: what came meanwhile may not have been read yet.
  if (gap > lost_ / 2) heard_ += gap;
  if (phase_ == Phase::kBye || now.mono < silent_at()) return;
  if (joined()) {
    rejoin(fmt::format("nothing heard from the broker for {} ms", to_ms(now.mono - heard_)), now);
  } else if (now.mono >= no_broker_notice_at_) {
    no_broker_notice_at_ = now.mono + kNoticeAgain;
    note(Kind::kNoBroker);
  }
  refused_backoff_ = Duration(0);
  renew_connection(now);
}

void SessionCore::greet(const Now& now) {
  if (now.mono < greet_at_) return;
  if (phase_ == Phase::kJoining) {
    PublicMetaInfo meta = config_.meta;
    meta.loaded_models = loaded_models_;
    outbox_.put(msg::Hello{config_.node_id, config_.session, std::move(meta), held()});
  } else if (joined()) {
    outbox_.put(msg::Heartbeat{++beat_seq_, held(), loaded_models_});
  }
  greet_at_ = now.mono + std::max(heartbeat_, refused_backoff_);
}

void SessionCore::handle(const Report::Leave& leave, const Now& now) {
  if (phase_ == Phase::kEnded || leaving_) return;
  leaving_ = true;
  leave_reason_ = clip_text(leave.reason);
  leave_at_ = now.mono;
  waits_since_ = now.mono;
  note(Kind::kLeaving, leave.reason);
}

void SessionCore::handle(Report::Force, const Now& now) {
  if (phase_ == Phase::kEnded || phase_ == Phase::kBye) return;
  handle(Report::Leave{"forced"}, now);
  say_leave(now);
  leave_ends_at_ = std::min(leave_ends_at_, now.mono + kForceWait);
  for (auto it = held_.begin(); it != held_.end();) {
    Held& held = it->second;
    const auto state = held.state;
    if (state == Held::State::kRunning) {
      events_.push_back(Stop{held.ref});
      give_back(held, now);
    }
    if (state != Held::State::kStopping) {
      ++it;
      continue;
    }
    if (joined()) outbox_.put_entry<msg::AbortAck>({held.ref, msg::AbortOutcome::kStopped});
    it = held_.erase(it);
  }
}

/// Repeated: it may have been lost with its connection. It goes before the tasks that are given
/// back, so that they are not assigned here again.
void SessionCore::say_leave(const Now& now) {
  if (!joined() || now.mono < leave_at_) return;
  outbox_.put(msg::Leave{leave_reason_});
  leave_at_ = now.mono + kResendResult;
}

void SessionCore::advance_leave(const Now& now) {
  if (!leaving_) return;
  if (phase_ == Phase::kBye) {
    if (now.mono >= leave_ends_at_) end(RunEnd::Kind::kLeft, "left without an answer");
    return;
  }
  say_leave(now);
  for (auto& [id, held] : held_)
    if (held.state == Held::State::kQueued) give_back(held, now);
  queue_.clear();
  if (now.mono >= gives_up_at()) {
    gave_up_ = true;
    handle(Report::Force{}, now);
  }
  const bool forced = leave_ends_at_ != kNever;
  if (!held_.empty() && !(forced && (now.mono >= leave_ends_at_ || !joined()))) return;
  if (!joined()) return end(RunEnd::Kind::kLeft, "left without a connection");
  outbox_.put(msg::Bye{leave_reason_});
  phase_ = Phase::kBye;
  leave_ends_at_ = now.mono + kByeWait;
}

/// When a leaving node waits no longer: for its results to be taken or, while no broker could abort
/// them, for its executions to end.
Duration SessionCore::gives_up_at() const {
  if (!leaving_ || leave_ends_at_ != kNever || (joined() && !running_.empty())) return kNever;
  return waits_since_ + (running_.empty() ? config_.drain_timeout : kLonelyRun);
}

void SessionCore::end(RunEnd::Kind kind, std::string text) {
  phase_ = Phase::kEnded;
  outbox_.clear();
  if (const std::size_t results = results_in_hand(); gave_up_ && results > 0) {
    kind = RunEnd::Kind::kGaveUp;
    text += fmt::format(", with {} results that were not taken in time", results);
  }
  if (kind != RunEnd::Kind::kSessionReplaced) note(Kind::kLeft, text);
  events_.push_back(RunEnd{kind, std::move(text)});
}

void SessionCore::handle(Report::LoadedModels loaded, const Now&) {
  loaded_models_ = std::move(loaded.models);
}

void SessionCore::expire(const Now& now) {
  if (phase_ == Phase::kEnded) return;
  judge_silence(now);
  advance_leave(now);
  if (phase_ == Phase::kEnded) return;
  keep_time_limits(now);
  send_progress(now);
  send_results(now, false);
  start_tasks(now);
  // After everything that changes what is held, so that a beat is never older than the frames
  // before it.
  greet(now);
  for (std::string& frame : outbox_.take()) events_.push_back(Send{std::move(frame)});
}

Duration SessionCore::next_deadline() const {
  if (phase_ == Phase::kEnded) return kNever;
  if (phase_ == Phase::kBye) return leave_ends_at_;
  Duration next = std::min({greet_at_, silent_at(), leave_ends_at_, gives_up_at()});
  for (const auto& [id, held] : held_) next = std::min(next, held.runs_until());
  if (!joined()) return next;
  next = std::min(next, leave_at_);
  for (const auto& [id, held] : held_) {
    next = std::min(next, held.resend_at);
    if (held.progress) next = std::min(next, held.progress_from);
  }
  return next;
}

}  // namespace genai::node
