// The core's half that faces the dispatcher.
#include <algorithm>
#include <utility>

#include "broker/answers.h"
#include "broker/core.h"
#include "protocol/base/limits.h"
#include "protocol/base/overloaded.h"
#include "protocol/base/planted.h"
#include "protocol/wire/codec.h"

namespace genai::broker {
namespace {

// An ASSIGN_ACK, a PROGRESS and a small RESULT, each in a frame of its own.
constexpr std::size_t kUnitsPerAssignment = 8;

}  // namespace

void Core::handle(const LinkFrame& event, const Now& now) {
  constexpr std::uint64_t kLinkHello = msg::LinkHello::kKind.number;
  const Sender& from = event.from;
  advance(now);
  const auto type = peek_type(event.frame.view(), Direction::kLinkToBroker);
  if (from.who.kind != Identity::Kind::kDispatcher && from.who.kind != Identity::Kind::kAnyone) {
    const Error stranger{ErrorCode::kNotAllowed, "this key is not authorized for a dispatcher"};
    if (type && *type == kLinkHello) return refuse_dispatcher(from, stranger, now);
    return refuse_link_frame(from, stranger, now);
  }
  if (!type) return refuse_link_frame(from, type.error(), now);
  const bool current = dispatcher_ && dispatcher_->peer == from.peer;
  if (!current && *type != kLinkHello) {
    if (is_error_type(*type)) return void(++errors_received_total_);
    const Error unknown{ErrorCode::kUnknownSession, "say LINK_HELLO first"};
    return outbox_.answer(from.peer, error_reply(unknown));
  }
  const auto message = decode<LinkToBroker>(event.frame);
  if (!message) {
    if (is_error_type(*type)) return void(++malformed_link_total_);
    return refuse_link_frame(from, message.error(), now);
  }
  if (current) dispatcher_->heard = monitor_.clock();
  std::visit(Overloaded{[&](const msg::LinkHello& hello) { on_link_hello(from, hello, now); },
                        [&](const msg::ToNodes& parcels) { on_to_nodes(parcels); },
                        [&](const msg::LinkStatsQuery&) {
                          // Only of the dispatcher that is served.
                          on_link_stats(dispatcher_->peer, now);
                        },
                        [](const msg::LinkHeartbeat&) {},  // that it came is all
                        [&](const msg::ErrorReply&) { ++errors_received_total_; }},
             *message);
}

void Core::on_link_hello(const Sender& from, const msg::LinkHello& hello, const Now& now) {
  const bool resync = dispatcher_ && dispatcher_->peer == from.peer;
  const bool same_process = dispatcher_ && dispatcher_->instance == hello.dispatcher;
  if (const auto problem = link_hello_problem(hello, resync || same_process))
    return refuse_dispatcher(from, *problem, now);
  latest_epoch_ = hello.epoch;
  if (dispatcher_ && !resync) {
    // The same process on a new connection must not hear that it has been replaced by itself.
    const Error newer{ErrorCode::kSuperseded, "another dispatcher has connected"};
    if (!same_process) outbox_.answer(dispatcher_->peer, error_reply(newer));
    drop_dispatcher(same_process ? "connects anew" : newer.detail);
  }
  dispatcher_ = Dispatcher{Peer(from.peer), from.who.key,     hello.dispatcher,
                           hello.epoch,     monitor_.clock(), now.mono + config_.timing.heartbeat};
  // What nodes said before need not have reached it.
  registry_.expect_beats();
  msg::Snapshot known = snapshot(now);
  outbox_.connect(dispatcher_->peer, std::move(known.providers), known.uptime_ms);
  if (!resync) ++dispatchers_total_;
  note(with_reason(resync ? line::kDispatcherResync : line::kDispatcherConnected,
                   "epoch " + std::to_string(hello.epoch)));
}

std::optional<Error> Core::link_hello_problem(const msg::LinkHello& hello,
                                              bool same_process) const {
  if (GENAI_PLANTED(kForgetEpoch)) return std::nullopt;
  if (hello.epoch < latest_epoch_) {
    const bool is_free =
        !dispatcher_ && monitor_.clock() - gone_at_ >= kAbsence * config_.timing.lost;
    return Error{is_free ? ErrorCode::kEpochTooLow : ErrorCode::kSuperseded,
                 "a dispatcher with the later epoch " + std::to_string(latest_epoch_) +
                     " has connected to this broker"};
  }
  // Two that have the same one must not replace each other for ever.
  if (hello.epoch == latest_epoch_ && !same_process && is_dispatcher_heard())
    return Error{ErrorCode::kSuperseded, "another dispatcher with this epoch serves this broker"};
  return std::nullopt;
}

bool Core::is_dispatcher_heard() const {
  return dispatcher_ && monitor_.clock() - dispatcher_->heard < config_.timing.suspect;
}

void Core::refuse_dispatcher(const Sender& from, const Error& problem, const Now& now) {
  ++refused_dispatchers_total_;
  if (dispatcher_refusals_.allow(now.mono))
    note(counted(line::kDispatcherRefused, dispatcher_refusals_.take_suppressed() + 1,
                 text_of(problem)));
  if (may_answer(link_limits_, now)) outbox_.answer(from.peer, error_reply(problem));
}

/// A node cannot help to bring what it was assigned, however fast the fleet is. What nobody has
/// assigned to it, it pays for.
void Core::prepay(Session& session, std::string_view frame) {
  session.prepaid = std::min(session.prepaid + kUnitsPerAssignment * count_assignments(frame),
                             kUnitsPerAssignment * limits::kMaxHeld);
}

void Core::on_to_nodes(const msg::ToNodes& message) {
  for (const msg::Parcel& parcel : message.parcels) {
    if (Session* session = registry_.find(parcel.session)) {
      prepay(*session, parcel.frame.view());
      ++frames_to_nodes_total_;
      bytes_to_nodes_total_.add(parcel.frame.size());
      to_nodes_.push_back({session->peer, std::string(parcel.frame.view()), parcel.session});
    } else {
      outbox_.put(msg::Undelivered::Entry{parcel.session, ErrorCode::kUnknownSession});
    }
  }
}

void Core::on_link_stats(const Peer& peer, const Now& now) {
  msg::LinkStats reply;
  metrics_.write(reply.metrics);
  reply.metrics.insert_or_assign("uptime_ms", Value(to_ms(now.mono - started_.mono)));
  outbox_.answer(peer, reply);
}

void Core::handle(const LinkUndeliverable& event, const Now& now) {
  advance(now);
  ++unsendable_total_;
  // The order would have a hole.
  outbox_.drop_events(event.peer);
  if (dispatcher_ && dispatcher_->peer == event.peer)
    drop_dispatcher(event.why == ErrorCode::kPeerFull ? "does not read" : "connection closed");
}

void Core::drop_dispatcher(const std::string& reason) {
  dispatcher_.reset();
  gone_at_ = monitor_.clock();
  outbox_.disconnect();
  note(with_reason(line::kDispatcherGone, reason));
}

void Core::judge_dispatcher(const Now& now) {
  if (!dispatcher_) return;
  const Duration silence = monitor_.clock() - dispatcher_->heard;
  if (silence >= config_.timing.lost)
    return drop_dispatcher("silent for " + std::to_string(to_ms(silence)) + " ms");
  if (dispatcher_->next_heartbeat > now.mono) return;
  outbox_.put_heartbeat();
  dispatcher_->next_heartbeat = now.mono + config_.timing.heartbeat;
}

void Core::refuse_link_frame(const Sender& from, const Error& error, const Now& now) {
  ++malformed_link_total_;
  note_malformed(link_limits_, line::kMalformedLink, error, now);
  if (may_answer(link_limits_, now)) outbox_.answer(from.peer, error_reply(error));
}

}  // namespace genai::broker
