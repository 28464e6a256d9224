#include "broker/core.h"

#include <algorithm>

#include "broker/answers.h"
#include "protocol/base/check.h"

namespace genai::broker {

Core::Core(const Config& config, const Now& started)
    : config_(config), started_(started), monitor_(config.timing), outbox_(config.instance) {
  monitor_.advance(started.mono);
}

void Core::handle_undeliverable(const NodeOutput& output, ErrorCode why, const Now& now,
                                Effects& effects) {
  advance(now, effects);
  ++counters_.outputs_unsendable;
  // Our own answers are repeated by whoever asked. The session itself is judged by its silence, but
  // it keeps its node id from others only while it has a connection.
  Session* session = registry_.find_peer(output.peer);
  if (session && why == ErrorCode::kUnreachable) session->cut = true;
  if (output.parcel_of) outbox_.put(msg::Undelivered::Entry{*output.parcel_of, why}, effects);
}

void Core::tick(const Now& now, bool behind, Effects& effects) {
  advance(now, effects);
  behind_ = behind;
  if (!behind) held_ = Duration(0);
  // A sign of life may be among what was not read yet; but a flood must not keep the dead alive.
  if (!behind || held_ >= config_.timing.lost) judge_nodes(effects);
  judge_dispatcher(now, effects);
  outbox_.flush(effects);
}

void Core::handle_malformed_node(std::string_view peer, const Identity& who, const Now& now,
                                 Effects& effects) {
  advance(now, effects);
  refuse_node_frame(peer, who, 0, not_a_message(), now, effects);
}

void Core::handle_malformed_link(std::string_view peer, const Now& now, Effects& effects) {
  advance(now, effects);
  refuse_link_frame(peer, not_a_message(), now, effects);
}

Duration Core::next_deadline() const {
  if (outbox_.pending()) return started_.mono;
  Duration deadline = monitor_.next_deadline();
  if (dispatcher_) deadline = std::min(deadline, dispatcher_->next_heartbeat);
  return deadline;
}

msg::Snapshot Core::snapshot(const Now& now) const {
  msg::Snapshot snapshot{
      config_.instance, outbox_.seq(), to_ms(now.mono - started_.mono), {}, false};
  for (const auto& [id, session] : registry_.sessions())
    snapshot.providers.push_back(session.entry());
  return snapshot;
}

void Core::advance(const Now& now, Effects& effects) {
  if (behind_ && held_ < config_.timing.lost) held_ += monitor_.hold(now.mono);
  const Duration skipped = monitor_.advance(now.mono);
  if (skipped == Duration(0)) return;
  effects.notices.push_back({Notice::Kind::kLateLoop,
                             {},
                             {},
                             "this process did not run: all silences are forgiven that long",
                             to_ms(skipped)});
}

void Core::notice_malformed(MalformedLimits& limits, Notice::Kind kind, const Error& error,
                            const Now& now, Effects& effects) {
  if (!limits.notices.allow(now.mono)) return;
  const std::uint64_t count = limits.notices.take_suppressed() + 1;
  const std::string reason = std::string(name(error.code)) + ": " + error.detail;
  effects.notices.push_back({kind, {}, {}, reason, count});
}

/// Takes one of the answers that all senders share.
bool Core::may_answer(MalformedLimits& limits, const Now& now) {
  if (limits.replies.allow(now.mono)) return true;
  ++counters_.replies_suppressed;
  return false;
}

void Core::check_invariants() const {
  registry_.check_invariants();
  monitor_.check_invariants();
  outbox_.check_invariants();
  GENAI_CHECK(registry_.size() <= config_.max_nodes);
  GENAI_CHECK(registry_.size() == monitor_.size());
  for (const auto& [id, session] : registry_.sessions())
    GENAI_CHECK(session.suspect == monitor_.is_suspect(id));
  GENAI_CHECK(outbox_.connected() == dispatcher_.has_value());
  GENAI_CHECK(!dispatcher_ || dispatcher_->heard <= monitor_.clock());
}

}  // namespace genai::broker
