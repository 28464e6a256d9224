#include "broker/core.h"

#include <algorithm>

#include "broker/answers.h"
#include "protocol/base/check.h"

namespace genai::broker {

Core::Core(const Config& config, const Now& started)
    : config_(config),
      started_(started),
      monitor_(config.timing),
      outbox_(config.instance, metrics_) {
  metrics_.gauge("dispatcher_connected", "1 while a dispatcher is connected, else 0.",
                 [this] { return Value(std::uint64_t{dispatcher_.has_value()}); });
  monitor_.advance(started.mono);
}

void Core::handle(const Undeliverable& event, const Now& now) {
  advance(now);
  ++unsendable_total_;
  // Our own answers are repeated by whoever asked. The session itself is judged by its silence, but
  // it keeps its node id from others only while it has a connection.
  Session* session = registry_.find_peer(event.output.peer);
  if (session && event.why == ErrorCode::kUnreachable) session->cut = true;
  if (event.output.parcel_of)
    outbox_.put(msg::Undelivered::Entry{*event.output.parcel_of, event.why});
}

void Core::handle(const SocketsRead& event, const Now& now) {
  advance(now);
  behind_ = event.behind;
  if (!behind_) held_ = Duration(0);
}

void Core::expire(const Now& now) {
  advance(now);
  // A sign of life may be among what was not read yet; but a flood must not keep the dead alive.
  if (!behind_ || held_ >= config_.timing.lost) judge_nodes();
  judge_dispatcher(now);
  outbox_.flush();
}

void Core::handle(const MalformedNode& event, const Now& now) {
  advance(now);
  refuse_node_frame(event.from, 0, not_a_message(), now);
}

void Core::handle(const MalformedLink& event, const Now& now) {
  advance(now);
  refuse_link_frame(event.from, not_a_message(), now);
}

Duration Core::next_deadline() const {
  if (outbox_.pending() || outbox_.has_events() || !to_nodes_.empty() || !notes_.empty())
    return started_.mono;
  Duration deadline = monitor_.next_deadline();
  if (dispatcher_) deadline = std::min(deadline, dispatcher_->next_heartbeat);
  return deadline;
}

Events Core::take_events() {
  return {std::exchange(to_nodes_, {}), outbox_.take_events(), std::exchange(notes_, {})};
}

msg::Snapshot Core::snapshot(const Now& now) const {
  msg::Snapshot snapshot{
      config_.instance, outbox_.seq(), to_ms(now.mono - started_.mono), {}, false};
  for (const auto& [id, session] : registry_.sessions())
    snapshot.providers.push_back(session.entry());
  return snapshot;
}

void Core::advance(const Now& now) {
  if (behind_ && held_ < config_.timing.lost) held_ += monitor_.hold(now.mono);
  const Duration skipped = monitor_.advance(now.mono);
  if (skipped == Duration(0)) return;
  late_ms_total_.add(to_ms(skipped));
  LogEvent event = event_of(line::kLateLoop);
  event.fields = {{"late_ms", to_ms(skipped)},
                  {"reason", "this process did not run: all silences are forgiven that long"}};
  note(std::move(event));
}

void Core::note_malformed(MalformedLimits& limits, const Line& line, const Error& error,
                          const Now& now) {
  if (!limits.notices.allow(now.mono)) return;
  note(counted(line, limits.notices.take_suppressed() + 1, text_of(error)));
}

/// Takes one of the answers that all senders share.
bool Core::may_answer(MalformedLimits& limits, const Now& now) {
  if (limits.replies.allow(now.mono)) return true;
  ++unanswered_total_;
  return false;
}

void Core::check() const {
  registry_.check();
  monitor_.check();
  outbox_.check();
  GENAI_CHECK(registry_.size() <= config_.max_nodes);
  GENAI_CHECK(registry_.size() == monitor_.size());
  GENAI_CHECK(joined_total_.value() == registry_.size() + left_total_.value() +
                                           lost_total_.value() + replaced_total_.value());
  for (const auto& [id, session] : registry_.sessions())
    GENAI_CHECK(session.suspect == monitor_.is_suspect(id));
  GENAI_CHECK(outbox_.connected() == dispatcher_.has_value());
  GENAI_CHECK(!dispatcher_ || dispatcher_->heard <= monitor_.clock());
}

}  // namespace genai::broker
