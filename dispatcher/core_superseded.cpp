// Brokers that do not serve this dispatcher: they serve another one, or do not let it in.
#include <algorithm>
#include <utility>

#include "dispatcher/core.h"
#include "protocol/base/check.h"

namespace genai::dispatcher {
namespace {

constexpr int kHeartbeatsBetween = 5;
// A store keeps 63 bits.
constexpr std::uint64_t kMaxEpoch = std::uint64_t{1} << 62, kMaxStep = kMaxEpoch / 2;

}  // namespace

/// The broker serves another dispatcher, or does not let this one in. It is asked again, though not
/// often, and people are told once a minute.
void Core::on_refused(std::size_t broker, const Error& error, const Now& now) {
  Link& link = links_[broker];
  link_down(broker, now);
  link.heard_at = now.mono;
  link.hello_at = now.mono + kHeartbeatsBetween * config_.heartbeat;
  const bool was_superseded = is_superseded();
  const bool is_news = std::exchange(link.refused, error.code) != error.code;
  if (is_superseded() && !was_superseded) tell_clients_superseded();
  if (!is_news && now.mono < link.tell_at) return;
  link.tell_at = now.mono + kTellAgain;
  outbox_.note({LogEvent::Level::kWarn,
                "the broker does not serve this dispatcher, trying on",
                {{"broker", link.endpoint}, {"code", name(error.code)}, {"detail", error.detail}}});
}

/// Whether other dispatchers have taken all brokers over: then nothing runs here.
bool Core::is_superseded() const {
  return std::ranges::all_of(links_, [](const Link& link) {
    return link.refused == ErrorCode::kSuperseded || link.refused == ErrorCode::kEpochTooLow;
  });
}

/// Who only waits for results asks for nothing, and would wait without knowing why.
void Core::tell_clients_superseded() {
  for (const std::string& peer : clients_.peers())
    outbox_.reply(peer, msg::ErrorReply{0, ErrorCode::kSuperseded, kSupersededText});
}

bool Core::wants_epoch() const {
  if (epoch_ > kMaxEpoch) return false;
  return std::ranges::any_of(
      links_, [](const Link& link) { return link.refused == ErrorCode::kEpochTooLow; });
}

void Core::raise_epoch(std::uint64_t epoch, const Now& now) {
  GENAI_CHECK(epoch > epoch_);
  epoch_ = epoch;
  epoch_step_ = std::min(2 * epoch_step_, kMaxStep);
  for (Link& link : links_) {
    if (link.refused != ErrorCode::kEpochTooLow) continue;
    link.refused = ErrorCode::kSuperseded;  // until its snapshot comes
    link.hello_at = now.mono;
  }
}

/// Of a link that is down. What a broker said that is silent now holds no more.
void Core::tell_of_no_answer(Link& link, const Now& now) {
  const Duration silence = now.mono - link.heard_at;
  if (silence < kHeartbeatsBetween * config_.heartbeat + config_.lost) return;
  link.refused = ErrorCode::kOk;
  if (now.mono < link.tell_at) return;
  link.tell_at = now.mono + kTellAgain;
  outbox_.note({LogEvent::Level::kWarn,
                "no answer from the broker, trying on",
                {{"broker", link.endpoint}}});
}

}  // namespace genai::dispatcher
