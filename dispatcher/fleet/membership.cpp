// What brokers say about nodes.
#include "dispatcher/fleet/membership.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"

namespace genai::dispatcher {

using namespace fleet_event;

Membership::Membership(const LinkTimes& times, InstanceId instance, std::uint64_t epoch,
                       const std::vector<std::string>& broker_endpoints, const Now& now)
    : times_(times), instance_(instance), epoch_(epoch) {
  for (const std::string& endpoint : broker_endpoints) {
    Link link;
    link.endpoint = endpoint;
    link.heard_at = link.hello_at = link.heartbeat_at = now.mono;
    links_.push_back(link);
  }
}

void Membership::handle(std::size_t broker, LinkToDispatcher message, const Now& now) {
  std::visit([&](auto& body) { on(broker, body, now); }, message);
}

void Membership::on(std::size_t broker, msg::Snapshot& snapshot, const Now& now) {
  Link& link = links_[broker];
  link.heard_at = now.mono;
  if (!link.listing || link.broker != snapshot.broker || link.seq != snapshot.seq)
    begin_listing(broker, snapshot);
  for (msg::ProviderEntry& entry : snapshot.providers) {
    link.listing->present.insert(entry.session);
    if (is_stolen(broker, entry) || keep_elsewhere(broker, entry)) continue;
    join(broker, entry, false, now);
    tell(Held{entry.session, std::move(entry.held), false});
  }
  if (!snapshot.more) end_listing(broker, snapshot, now);
}

void Membership::begin_listing(std::size_t broker, const msg::Snapshot& snapshot) {
  Link& link = links_[broker];
  const bool same_broker = link.broker == snapshot.broker;
  link.listing = Link::Listing{same_broker, link.up, {}};
  if (!same_broker) link.metrics = {};
  link.asks = false;
  link.refused = ErrorCode::kOk;
  epoch_step_ = 1;
  link.elsewhere.clear();
  link.taken_over.clear();
  link.broker = snapshot.broker;
  link.seq = snapshot.seq;
  link.up = true;
  tell(LinkUp{});
}

/// All parts have come: whoever is in none of them is missing.
void Membership::end_listing(std::size_t broker, const msg::Snapshot& snapshot, const Now& now) {
  Link& link = links_[broker];
  const Link::Listing listing = *std::exchange(link.listing, std::nullopt);
  if (!listing.was_up || !listing.same_broker)
    tell(LogEvent{
        LogEvent::Level::kInfo,
        "broker connected",
        {{"broker", link.endpoint}, {"providers", std::uint64_t{listing.present.size()}}}});
  std::vector<Session*> missing;
  for (const auto& [id, session] : sessions_)
    if (session->broker == broker && !listing.present.contains(id))
      missing.push_back(session.get());
  // A broker that has watched for long enough has judged them; a young one has yet to hear.
  const bool judged = listing.same_broker || snapshot.uptime_ms >= to_ms(times_.lost);
  for (Session* session : missing) {
    if (judged)
      lose(*session, Cause::kLoss, ErrorCode::kProviderLost, "gone from its broker's membership",
           now);
    else
      set_reach(*session, Reach::kUnreachable, now);
  }
  set_graces(now);
}

void Membership::on(std::size_t broker, msg::Delta& delta, const Now& now) {
  Link& link = links_[broker];
  link.heard_at = now.mono;
  if (!link.up || delta.broker != link.broker || delta.seq != link.seq + 1)
    return say_hello(broker, now);
  link.seq = delta.seq;
  for (auto& change : delta.changes)
    std::visit([&](auto& kind) { apply(broker, kind, now); }, change);
}

void Membership::apply(std::size_t broker, msg::Delta::Joined& change, const Now& now) {
  if (is_stolen(broker, change.provider)) return;
  // A session may move from broker to broker; another process has to wait for the node id.
  if (!find(change.provider.session) && keep_elsewhere(broker, change.provider))
    return tell_node_id_in_use(broker, change.provider);
  join(broker, change.provider, true, now);
  tell(Held{change.provider.session, std::move(change.provider.held), true});
}

void Membership::apply(std::size_t broker, msg::Delta::StateChanged& change, const Now& now) {
  Session* session = session_of(change.session);
  if (!session || session->broker != broker) return;
  if (change.state == ProviderState::kLost)
    return lose(*session, Cause::kLoss, ErrorCode::kProviderLost, change.reason, now);
  if (change.state == ProviderState::kLeft)
    return lose(*session, Cause::kDrain, ErrorCode::kNodeDrained, "left: " + change.reason, now);
  set_reach(*session, reach_of(change.state), now);
  tell(node_line("node is " + std::string(name(session->reach)), *session, change.reason));
}

void Membership::apply(std::size_t broker, msg::Delta::Beat& change, const Now&) {
  const Session* session = find(change.session);
  if (!session || session->broker != broker) return;
  tell(Loaded{change.session, std::move(change.loaded_models)});
  tell(Held{change.session, std::move(change.held), true});
}

void Membership::on(std::size_t broker, msg::LinkHeartbeat& beat, const Now& now) {
  Link& link = links_[broker];
  link.heard_at = now.mono;
  if (!link.up || beat.instance != link.broker || beat.seq != link.seq) say_hello(broker, now);
}

void Membership::on(std::size_t broker, msg::FromNodes& message, const Now& now) {
  links_[broker].heard_at = now.mono;
  for (msg::Parcel& parcel : message.parcels) {
    const Session* session = find(parcel.session);
    // From a session this side does not know yet: the node repeats what matters.
    if (session && session->broker == broker)
      tell(Spoke{parcel.session, session->node_id, std::move(parcel.frame)});
  }
}

void Membership::on(std::size_t broker, msg::Undelivered& message, const Now& now) {
  links_[broker].heard_at = now.mono;
  for (const auto& entry : message.entries) {
    const Session* session = find(entry.session);
    if (!session || session->broker != broker) continue;
    tell(Unreached{entry.session,
                   entry.code == ErrorCode::kOk ? ErrorCode::kUnreachable : entry.code});
  }
}

void Membership::on(std::size_t broker, msg::LinkStats& message, const Now& now) {
  links_[broker].heard_at = now.mono;
  links_[broker].metrics.on_answer(std::move(message.metrics));
}

void Membership::on(std::size_t broker, msg::ErrorReply& error, const Now& now) {
  if (links_[broker].metrics.on_error(error.code)) return;
  if (error.code == ErrorCode::kSuperseded || error.code == ErrorCode::kEpochTooLow ||
      error.code == ErrorCode::kNotAllowed)
    return on_refused(broker, {error.code, error.detail}, now);
  if (error.code == ErrorCode::kUnknownSession) say_hello(broker, now);
  if (!broker_error_notes_.allow(now.mono)) return;
  tell(LogEvent{LogEvent::Level::kWarn,
                "the broker answered with an error",
                {{"broker", links_[broker].endpoint},
                 {"code", name(error.code)},
                 {"detail", error.detail},
                 {"more_not_shown", broker_error_notes_.take_suppressed()}}});
}

void Membership::handle_leaving(const SessionId& session, const Now& now) {
  if (Session* leaving = session_of(session)) set_reach(*leaving, Reach::kDraining, now);
}

void Membership::forgive(Duration late) {
  for (Link& link : links_) link.heard_at += late;
}

void Membership::expire(const Now& now, Duration judge_from) {
  for (std::size_t i = 0; i < links_.size(); ++i) expire_link(i, now, judge_from);
  while (now.mono >= judge_from && !losses_due_.empty() && losses_due_.begin()->first <= now.mono)
    lose(*by_index_[losses_due_.begin()->second], Cause::kLoss, ErrorCode::kProviderLost,
         "its broker has not heard of it again", now);
}

Duration Membership::next_deadline(Duration judge_from) const {
  Duration at = kNever;
  // Judgements that wait for judge_from must not make the loop spin until then.
  if (!losses_due_.empty()) at = std::max(losses_due_.begin()->first, judge_from);
  for (const Link& link : links_) {
    if (link.asks) at = std::min(at, link.hello_at);
    at = std::min(
        at, link.up ? std::min(link.heartbeat_at, std::max(link.heard_at + times_.lost, judge_from))
                    : link.hello_at);
  }
  return at;
}

void Membership::check() const {
  GENAI_CHECK(by_index_.size() == sessions_.size() + free_indexes_.size());
  std::size_t due = 0;
  for (const auto& [id, session] : sessions_) {
    GENAI_CHECK(session->id == id && session->broker < links_.size());
    GENAI_CHECK(by_index_[session->index] == session.get());
    GENAI_CHECK(session->lost_at == kNever || session->reach == Reach::kUnreachable);
    due += session->lost_at != kNever;
  }
  GENAI_CHECK(due == losses_due_.size());
}

}  // namespace genai::dispatcher
