// Links to brokers: hello, heartbeats, silence, and brokers that serve another dispatcher or do not
// let this one in.
#include <algorithm>
#include <utility>

#include "dispatcher/fleet/limits.h"
#include "dispatcher/fleet/membership.h"
#include "protocol/base/check.h"

namespace genai::dispatcher {
namespace {

using namespace fleet_event;

/// People are told again of a broker that does not serve this dispatcher.
constexpr Duration kTellAgain = from_ms(60'000);
constexpr int kHeartbeatsBetween = 5;

}  // namespace

void Membership::say_hello(std::size_t broker, const Now& now) {
  Link& link = links_[broker];
  if (now.mono < link.hello_at) return;
  // A down link takes nothing until it is connected, so it is tried often; on one that is up, one
  // hello an interval is enough for the snapshot to come.
  link.hello_at = now.mono + (link.up ? times_.heartbeat : times_.heartbeat / 5);
  tell(SendToBroker{broker, msg::LinkHello{instance_, epoch_}});
}

void Membership::expire_link(std::size_t broker, const Now& now, Duration judge_from) {
  Link& link = links_[broker];
  if (!link.up) {
    tell_of_no_answer(link, now);
    return say_hello(broker, now);
  }
  if (link.asks) say_hello(broker, now);
  if (now.mono >= judge_from && link.heard_at + times_.lost <= now.mono) {
    link_down(broker, now);
    return tell(Reopen{broker});
  }
  if (link.heartbeat_at <= now.mono) {
    link.heartbeat_at = now.mono + times_.heartbeat;
    tell(SendToBroker{broker, msg::LinkHeartbeat{instance_, link.seq}});
    if (link.metrics.on_heartbeat()) tell(SendToBroker{broker, msg::LinkStatsQuery{}});
  }
}

bool Membership::any_link_up() const {
  return std::ranges::any_of(links_, [](const Link& link) { return link.up; });
}

bool Membership::is_heard(std::size_t broker, const Now& now) const {
  const Link& link = links_[broker];
  return link.up && now.mono - link.heard_at < times_.lost / 2;
}

void Membership::link_down(std::size_t broker, const Now& now) {
  Link& link = links_[broker];
  if (!link.up) return;
  link.up = false;
  link.listing.reset();
  link.hello_at = now.mono + times_.heartbeat / 5;
  link.tell_at = now.mono + kTellAgain;
  tell(LogEvent{LogEvent::Level::kWarn, "broker lost", {{"broker", link.endpoint}}});
  for (const auto& [id, session] : sessions_)
    if (session->broker == broker) set_reach(*session, Reach::kUnreachable, now);
  set_graces(now);
}

/// The broker serves another dispatcher, or does not let this one in. It is asked again, though not
/// often, and people are told once a minute.
void Membership::on_refused(std::size_t broker, const Error& error, const Now& now) {
  Link& link = links_[broker];
  link_down(broker, now);
  link.heard_at = now.mono;
  link.hello_at = now.mono + kHeartbeatsBetween * times_.heartbeat;
  const bool was_superseded = is_superseded();
  const bool is_news = std::exchange(link.refused, error.code) != error.code;
  if (is_superseded() && !was_superseded) tell(Superseded{});
  if (!is_news && now.mono < link.tell_at) return;
  link.tell_at = now.mono + kTellAgain;
  tell(LogEvent{LogEvent::Level::kWarn,
                "the broker does not serve this dispatcher, trying on",
                {{"broker", link.endpoint}, {"code", name(error.code)}, {"detail", error.detail}}});
}

bool Membership::is_superseded() const {
  return std::ranges::all_of(links_, [](const Link& link) {
    return link.refused == ErrorCode::kSuperseded || link.refused == ErrorCode::kEpochTooLow;
  });
}

bool Membership::is_refused_everywhere() const {
  return std::ranges::all_of(links_,
                             [](const Link& link) { return link.refused != ErrorCode::kOk; });
}

bool Membership::wants_epoch() const {
  if (epoch_ > kMaxEpoch) return false;
  return std::ranges::any_of(
      links_, [](const Link& link) { return link.refused == ErrorCode::kEpochTooLow; });
}

void Membership::raise_epoch(std::uint64_t epoch, const Now& now) {
  GENAI_CHECK(epoch > epoch_);
  epoch_ = epoch;
  epoch_step_ = std::min(2 * epoch_step_, kMaxStep);
  for (Link& link : links_) {
    if (link.refused != ErrorCode::kEpochTooLow) continue;
    link.refused = ErrorCode::kSuperseded;  // until its snapshot comes
    link.hello_at = now.mono;
  }
}

/// Of a link that is down. An answer that the broker gave before it fell silent holds no more.
void Membership::tell_of_no_answer(Link& link, const Now& now) {
  const Duration silence = now.mono - link.heard_at;
  if (silence < kHeartbeatsBetween * times_.heartbeat + times_.lost) return;
  link.refused = ErrorCode::kOk;
  if (now.mono < link.tell_at) return;
  link.tell_at = now.mono + kTellAgain;
  tell(LogEvent{
      LogEvent::Level::kWarn, "no answer from the broker, trying on", {{"broker", link.endpoint}}});
}

}  // namespace genai::dispatcher
