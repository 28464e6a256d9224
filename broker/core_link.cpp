// The core's half that faces the dispatcher.
#include <utility>

#include "broker/answers.h"
#include "broker/core.h"
#include "protocol/base/overloaded.h"
#include "protocol/base/planted.h"
#include "protocol/wire/codec.h"

namespace genai::broker {

using Kind = Notice::Kind;

void Core::handle_link_frame(std::string_view peer, const Identity& who, const Blob& frame,
                             const Now& now, Effects& effects) {
  constexpr std::uint64_t kLinkHello = msg::LinkHello::kKind.number;
  advance(now, effects);
  const auto type = peek_type(frame.view(), Direction::kLinkToBroker);
  if (who.kind != Identity::Kind::kDispatcher && who.kind != Identity::Kind::kAnyone) {
    const Error stranger{ErrorCode::kNotAllowed, "this key is not authorized for a dispatcher"};
    if (type && *type == kLinkHello) return refuse_dispatcher(peer, stranger, now, effects);
    return refuse_link_frame(peer, stranger, now, effects);
  }
  if (!type) return refuse_link_frame(peer, type.error(), now, effects);
  const bool current = dispatcher_ && dispatcher_->peer == peer;
  if (!current && *type != kLinkHello) {
    if (is_error_type(*type)) return void(++counters_.errors_received);
    const Error unknown{ErrorCode::kUnknownSession, "say LINK_HELLO first"};
    return answer_link(peer, error_reply(unknown), effects);
  }
  const auto message = decode<LinkToBroker>(frame);
  if (!message) {
    if (is_error_type(*type)) return void(++counters_.malformed_link_frames);
    return refuse_link_frame(peer, message.error(), now, effects);
  }
  if (current) dispatcher_->heard = monitor_.clock();
  std::visit(Overloaded{[&](const msg::LinkHello& hello) {
                          on_link_hello(peer, who, hello, now, effects);
                        },
                        [&](const msg::ToNodes& parcels) { on_to_nodes(parcels, effects); },
                        [](const msg::LinkHeartbeat&) {},  // that it came is all
                        [&](const msg::ErrorReply&) { ++counters_.errors_received; }},
             *message);
}

void Core::on_link_hello(std::string_view peer, const Identity& who, const msg::LinkHello& hello,
                         const Now& now, Effects& effects) {
  const bool resync = dispatcher_ && dispatcher_->peer == peer;
  const bool same_process = dispatcher_ && dispatcher_->instance == hello.dispatcher;
  if (const auto problem = link_hello_problem(hello, resync || same_process))
    return refuse_dispatcher(peer, *problem, now, effects);
  latest_epoch_ = hello.epoch;
  if (dispatcher_ && !resync) {
    // The same process on a new connection must not hear that it has been replaced by itself.
    const Error newer{ErrorCode::kSuperseded, "another dispatcher has connected"};
    if (!same_process) answer_link(dispatcher_->peer, error_reply(newer), effects);
    drop_dispatcher(same_process ? "connects anew" : newer.detail, effects);
  }
  dispatcher_ = Dispatcher{Peer(peer),  who.key,          hello.dispatcher,
                           hello.epoch, monitor_.clock(), now.mono + config_.timing.heartbeat};
  // What nodes said before need not have reached it.
  registry_.expect_beats();
  msg::Snapshot known = snapshot(now);
  outbox_.connect(dispatcher_->peer, std::move(known.providers), known.uptime_ms, effects);
  const Kind kind = resync ? Kind::kDispatcherResync : Kind::kDispatcherConnected;
  effects.notices.push_back({kind, {}, {}, "epoch " + std::to_string(hello.epoch)});
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

void Core::refuse_dispatcher(std::string_view peer, const Error& problem, const Now& now,
                             Effects& effects) {
  if (dispatcher_refusals_.allow(now.mono))
    effects.notices.push_back({Kind::kDispatcherRefused,
                               {},
                               {},
                               std::string(name(problem.code)) + ": " + problem.detail,
                               dispatcher_refusals_.take_suppressed() + 1});
  if (may_answer(link_limits_, now)) answer_link(peer, error_reply(problem), effects);
}

void Core::on_to_nodes(const msg::ToNodes& message, Effects& effects) {
  for (const msg::Parcel& parcel : message.parcels) {
    if (const Session* session = registry_.find(parcel.session))
      effects.to_nodes.push_back({session->peer, std::string(parcel.frame.view()), parcel.session});
    else
      outbox_.put(msg::Undelivered::Entry{parcel.session, ErrorCode::kUnknownSession}, effects);
  }
}

void Core::handle_link_undeliverable(const Peer& peer, ErrorCode why, const Now& now,
                                     Effects& effects) {
  advance(now, effects);
  ++counters_.outputs_unsendable;
  if (dispatcher_ && dispatcher_->peer == peer)
    drop_dispatcher(why == ErrorCode::kPeerFull ? "does not read" : "connection closed", effects);
}

void Core::drop_dispatcher(const std::string& reason, Effects& effects) {
  dispatcher_.reset();
  gone_at_ = monitor_.clock();
  outbox_.disconnect();
  effects.notices.push_back({Kind::kDispatcherGone, {}, {}, reason});
}

void Core::judge_dispatcher(const Now& now, Effects& effects) {
  if (!dispatcher_) return;
  const Duration silence = monitor_.clock() - dispatcher_->heard;
  if (silence >= config_.timing.lost)
    return drop_dispatcher("silent for " + std::to_string(to_ms(silence)) + " ms", effects);
  if (dispatcher_->next_heartbeat > now.mono) return;
  outbox_.put_heartbeat(effects);
  dispatcher_->next_heartbeat = now.mono + config_.timing.heartbeat;
}

void Core::refuse_link_frame(std::string_view peer, const Error& error, const Now& now,
                             Effects& effects) {
  ++counters_.malformed_link_frames;
  notice_malformed(link_limits_, Kind::kMalformedLinkFrame, error, now, effects);
  if (may_answer(link_limits_, now)) answer_link(peer, error_reply(error), effects);
}

}  // namespace genai::broker
