// Membership: what brokers say about nodes.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "dispatcher/core.h"
#include "protocol/base/planted.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher {
namespace {

Reach reach_of(ProviderState state) {
  switch (state) {
    case ProviderState::kSuspect:
      return Reach::kSuspect;
    case ProviderState::kDraining:
      return Reach::kDraining;
    default:
      return Reach::kOnline;
  }
}

/// Different nodes on which attempts failed, that of the present attempt among them.
std::size_t nodes_failed(const Task& task) {
  std::set<NodeId> nodes;
  for (const IssuedAttempt& attempt : task.issued)
    if (attempt.failed || attempt.number == task.current) nodes.insert(attempt.node_id);
  return nodes.size();
}

LogEvent node_note(std::string text, const Provider& provider, std::string reason = {}) {
  LogEvent note{LogEvent::Level::kInfo,
                std::move(text),
                {{"node_id", provider.node_id.str()}, {"session", provider.session.short_hex()}}};
  if (!reason.empty()) note.fields.emplace_back("reason", std::move(reason));
  return note;
}

}  // namespace

void Core::on_link(std::size_t broker, const msg::Snapshot& snapshot, const Now& now) {
  Link& link = links_[broker];
  link.heard_at = now.mono;
  if (!link.listing || link.broker != snapshot.broker || link.seq != snapshot.seq)
    begin_listing(broker, snapshot, now);
  for (const msg::ProviderEntry& entry : snapshot.providers) {
    link.listing->present.insert(entry.session);
    if (is_stolen(broker, entry, now) || keep_elsewhere(broker, entry)) continue;
    Provider& provider = join(broker, entry, now);
    for (const AssignmentRef& ref : entry.held) claim(provider, ref, now);
  }
  if (!snapshot.more) end_listing(broker, snapshot, now);
}

void Core::begin_listing(std::size_t broker, const msg::Snapshot& snapshot, const Now& now) {
  Link& link = links_[broker];
  const bool same_broker = link.broker == snapshot.broker;
  link.listing = Link::Listing{same_broker, link.up, {}};
  link.asks = false;
  link.refused = ErrorCode::kOk;
  epoch_step_ = 1;
  link.elsewhere.clear();
  link.taken_over.clear();
  link.broker = snapshot.broker;
  link.seq = snapshot.seq;
  link.up = true;
  if (!recovering_.empty() && recovery_ends_ == kNever) recovery_ends_ = now.mono + config_.lost;
}

/// All parts have come: whoever is in none of them is missing.
void Core::end_listing(std::size_t broker, const msg::Snapshot& snapshot, const Now& now) {
  Link& link = links_[broker];
  const Link::Listing listing = *std::exchange(link.listing, std::nullopt);
  if (!listing.was_up || !listing.same_broker)
    outbox_.note(
        {LogEvent::Level::kInfo,
         "broker connected",
         {{"broker", link.endpoint}, {"providers", std::uint64_t{listing.present.size()}}}});
  std::vector<Provider*> missing;
  for (const auto& [session, provider] : providers_.sessions())
    if (provider->broker == broker && !listing.present.contains(session))
      missing.push_back(provider.get());
  // A broker that has watched for long enough has judged them; a young one has yet to hear.
  const bool judged = listing.same_broker || snapshot.uptime_ms >= to_ms(config_.lost);
  for (Provider* provider : missing) {
    if (judged)
      lose(*provider, Cause::kLoss, ErrorCode::kProviderLost, "gone from its broker's membership",
           now);
    else
      set_reach(*provider, Reach::kUnreachable, now);
  }
  set_graces(now);
}

void Core::on_link(std::size_t broker, const msg::Delta& delta, const Now& now) {
  Link& link = links_[broker];
  link.heard_at = now.mono;
  if (!link.up || delta.broker != link.broker || delta.seq != link.seq + 1)
    return say_hello(broker, now);
  link.seq = delta.seq;
  for (const auto& change : delta.changes)
    std::visit([&](const auto& kind) { apply(broker, kind, now); }, change);
}

void Core::on_link(std::size_t broker, const msg::LinkHeartbeat& beat, const Now& now) {
  Link& link = links_[broker];
  link.heard_at = now.mono;
  if (!link.up || beat.instance != link.broker || beat.seq != link.seq) say_hello(broker, now);
}

void Core::on_link(std::size_t broker, const msg::FromNodes& message, const Now& now) {
  links_[broker].heard_at = now.mono;
  for (const msg::Parcel& parcel : message.parcels) {
    Provider* provider = providers_.find(parcel.session);
    // From a session this side does not know yet: the node repeats what matters.
    if (provider && provider->broker == broker) on_node_frame(*provider, parcel.frame, now);
  }
}

void Core::on_link(std::size_t broker, const msg::Undelivered& message, const Now& now) {
  links_[broker].heard_at = now.mono;
  for (const auto& entry : message.entries) {
    Provider* provider = providers_.find(entry.session);
    if (!provider || provider->broker != broker) continue;
    const ErrorCode code = entry.code == ErrorCode::kOk ? ErrorCode::kUnreachable : entry.code;
    std::vector<Task*> unsent;
    for (const QueueEntry* held : provider->tasks)
      if (held->record->status == TaskStatus::kScheduled) unsent.push_back(&task_of(*held));
    for (Task* task : unsent) {
      abort_current(*task, code, now);
      requeue(*task, Cause::kNobody, code, "the broker could not hand it to the node", now);
    }
    if (!unsent.empty()) providers_.bar(*provider, now.mono);
  }
}

void Core::on_link(std::size_t broker, const msg::ErrorReply& error, const Now& now) {
  if (error.code == ErrorCode::kSuperseded || error.code == ErrorCode::kEpochTooLow ||
      error.code == ErrorCode::kNotAllowed)
    return on_refused(broker, {error.code, error.detail}, now);
  if (error.code == ErrorCode::kUnknownSession) say_hello(broker, now);
  if (!broker_error_notes_.allow(now.mono)) return;
  outbox_.note({LogEvent::Level::kWarn,
                "the broker answered with an error",
                {{"broker", links_[broker].endpoint},
                 {"code", name(error.code)},
                 {"detail", error.detail},
                 {"more_not_shown", broker_error_notes_.take_suppressed()}}});
}

void Core::on_link_frame(std::size_t broker, const Blob& frame, const Now& now) {
  auto message = decode<LinkToDispatcher>(frame);
  if (!message)
    return note_malformed("malformed frame from a broker", "broker", links_[broker].endpoint,
                          message.error(), now);
  std::visit([&](const auto& body) { on_link(broker, body, now); }, *message);
}

void Core::say_hello(std::size_t broker, const Now& now) {
  Link& link = links_[broker];
  if (now.mono < link.hello_at) return;
  // A down link takes nothing until it is connected, so it is tried often; on one that is up, one
  // hello an interval is enough for the snapshot to come.
  link.hello_at = now.mono + (link.up ? config_.heartbeat : config_.heartbeat / 5);
  outbox_.to_broker(broker, msg::LinkHello{instance_, epoch_});
}

void Core::tick_link(std::size_t broker, const Now& now) {
  Link& link = links_[broker];
  if (!link.up) {
    tell_of_no_answer(link, now);
    return say_hello(broker, now);
  }
  if (link.asks) say_hello(broker, now);
  if (now.mono >= judge_from_ && link.heard_at + config_.lost <= now.mono) {
    link_down(broker, now);
    outbox_.reopen_link(broker);
    return;
  }
  if (link.heartbeat_at <= now.mono) {
    link.heartbeat_at = now.mono + config_.heartbeat;
    outbox_.to_broker(broker, msg::LinkHeartbeat{instance_, link.seq});
  }
}

bool Core::any_link_up() const {
  return std::ranges::any_of(links_, [](const Link& link) { return link.up; });
}

void Core::link_down(std::size_t broker, const Now& now) {
  Link& link = links_[broker];
  if (!link.up) return;
  link.up = false;
  link.listing.reset();
  link.hello_at = now.mono + config_.heartbeat / 5;
  link.tell_at = now.mono + kTellAgain;
  outbox_.note({LogEvent::Level::kWarn, "broker lost", {{"broker", link.endpoint}}});
  for (const auto& [session, provider] : providers_.sessions())
    if (provider->broker == broker) set_reach(*provider, Reach::kUnreachable, now);
  set_graces(now);
}

/// Nodes go on working while their broker is away. Requeueing what they hold helps only if other
/// nodes can be reached; otherwise it would merely run twice. So their grace runs only while some
/// broker is up.
void Core::set_graces(const Now& now) {
  const bool running = any_link_up();
  for (const auto& [session, provider] : providers_.sessions()) {
    if (provider->reach != Reach::kUnreachable) continue;
    if (running == (provider->lost_at != kNever)) continue;
    provider->lost_at = running ? now.mono + config_.lost : kNever;
    providers_.reindex(*provider, now.mono);
  }
}

void Core::set_reach(Provider& provider, Reach reach, const Now& now) {
  if (reach != Reach::kUnreachable || provider.reach != reach) provider.lost_at = kNever;
  provider.reach = reach;
  providers_.reindex(provider, now.mono);
  if (reach == Reach::kSuspect || reach == Reach::kUnreachable) ask_elsewhere(provider, now);
}

/// Whether one node uses the session of another, which its broker cannot know when that is at
/// another broker.
bool Core::is_stolen(std::size_t broker, const msg::ProviderEntry& entry, const Now& now) {
  const Provider* provider = providers_.find(entry.session);
  if (!provider || provider->node_id == entry.node_id) return false;
  links_[broker].elsewhere.insert(entry.session);  // whose it is will show
  note_malformed("a node uses the session of another", "node_id", entry.node_id.str(),
                 {ErrorCode::kNotAllowed, "the session is that of " + provider->node_id.str()},
                 now);
  return true;
}

bool Core::is_online_elsewhere(std::size_t broker, const Provider* provider) const {
  return provider && provider->broker != broker && links_[provider->broker].up &&
         (provider->reach == Reach::kOnline || provider->reach == Reach::kDraining);
}

/// A node that has moved to another broker, or was started anew there, stays in the list of the
/// former until that has judged its silence. A list is no news: only a HELLO takes a node over.
bool Core::keep_elsewhere(std::size_t broker, const msg::ProviderEntry& entry) {
  Link& link = links_[broker];
  if (const Provider* same = providers_.find(entry.session)) {
    if (!is_online_elsewhere(broker, same)) return false;
    link.elsewhere.insert(entry.session);
    return true;
  }
  if (!is_online_elsewhere(broker, providers_.find_node(entry.node_id))) return false;
  link.taken_over.insert(entry.node_id);
  return true;
}

/// Each broker sees only one of two processes under one node id, so it welcomes both.
void Core::tell_node_id_in_use(std::size_t broker, const msg::ProviderEntry& entry) {
  const Provider& serving = *providers_.find_node(entry.node_id);
  const msg::ErrorReply in_use{
      0, ErrorCode::kNodeIdInUse,
      "another process serves under this node_id at another broker; this one gets no work until "
      "that one has left or is silent"};
  outbox_.to_broker(broker, msg::ToNodes{{{entry.session, Blob(encode(ToNode(in_use)))}}});
  outbox_.note({LogEvent::Level::kWarn,
                "two nodes under one node id at two brokers: one of them gets no work",
                {{"node_id", entry.node_id.str()},
                 {"serving_at", links_[serving.broker].endpoint},
                 {"waiting_at", links_[broker].endpoint}}});
}

/// The node is not heard any more where it was: it may be at a broker that lists it too.
void Core::ask_elsewhere(const Provider& provider, const Now& now) {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[i];
    if (!link.up || GENAI_PLANTED(kForgetTakenOver)) continue;
    if (!link.elsewhere.contains(provider.session) && !link.taken_over.contains(provider.node_id))
      continue;
    if (std::exchange(link.asks, true)) continue;
    link.hello_at = now.mono;
    say_hello(i, now);
  }
}

/// Enters or refreshes a session. Assignments that crossed with a reconnect are sent again: the
/// node knows each by its ref, so it runs none twice.
Provider& Core::join(std::size_t broker, const msg::ProviderEntry& entry, const Now& now) {
  Provider* provider = providers_.find(entry.session);
  if (!provider) {
    if (Provider* old = providers_.find_node(entry.node_id)) {
      const std::size_t former = old->broker;
      // That it began anew, here or at another broker, is no fault of what it was executing.
      lose(*old, Cause::kNobody, ErrorCode::kProviderLost, "replaced by a new session", now);
      if (former != broker) links_[former].taken_over.insert(entry.node_id);
    }
    provider = &providers_.add(entry, broker, now);
    outbox_.note(node_note("node joined", *provider));
  }
  if (provider->broker != broker) links_[provider->broker].elsewhere.insert(entry.session);
  provider->broker = broker;
  providers_.set_meta(*provider, entry.meta, now.mono);
  set_reach(*provider, reach_of(entry.state), now);
  for (const QueueEntry* held : provider->tasks) {
    Task& task = task_of(*held);
    if (task.status != TaskStatus::kScheduled) continue;
    outbox_.assign(*provider, task, ref_of(task));
    tasks_.set_phase_end(task, now.mono + config_.assign_ack);
  }
  return *provider;
}

void Core::apply(std::size_t broker, const msg::Delta::Joined& change, const Now& now) {
  if (is_stolen(broker, change.provider, now)) return;
  // A session may move from broker to broker; another process has to wait for the node id.
  if (!providers_.find(change.provider.session) && keep_elsewhere(broker, change.provider))
    return tell_node_id_in_use(broker, change.provider);
  Provider& provider = join(broker, change.provider, now);
  providers_.clear_unfit(provider, now.mono);
  for (const AssignmentRef& ref : change.provider.held) claim(provider, ref, now);
  drop_unheld(provider, change.provider.held, now);
}

void Core::apply(std::size_t broker, const msg::Delta::StateChanged& change, const Now& now) {
  Provider* provider = providers_.find(change.session);
  if (!provider || provider->broker != broker) return;
  if (change.state == ProviderState::kLost)
    return lose(*provider, Cause::kLoss, ErrorCode::kProviderLost, change.reason, now);
  if (change.state == ProviderState::kLeft)
    return lose(*provider, Cause::kDrain, ErrorCode::kNodeDrained, "left: " + change.reason, now);
  set_reach(*provider, reach_of(change.state), now);
  outbox_.note(
      node_note("node is " + std::string(name(provider->reach)), *provider, change.reason));
}

void Core::apply(std::size_t broker, const msg::Delta::Beat& change, const Now& now) {
  Provider* provider = providers_.find(change.session);
  if (!provider || provider->broker != broker) return;
  providers_.set_loaded(*provider, change.loaded_models, now.mono);
  for (const AssignmentRef& ref : change.held) claim(*provider, ref, now);
  drop_unheld(*provider, change.held, now);
}

void Core::lose(Provider& provider, Cause cause, ErrorCode code, const std::string& reason,
                const Now& now) {
  outbox_.note(node_note(cause == Cause::kDrain ? "node left" : "node lost", provider, reason));
  // Only what was executing is blamed; asked before the list changes.
  std::vector<std::pair<Task*, bool>> held;
  for (const QueueEntry* entry : provider.tasks)
    held.emplace_back(&task_of(*entry), provider.is_executing(*entry));
  provider.record->lost += held.size();
  const bool crashed = cause == Cause::kLoss && !is_mass_loss(provider, now);
  if (crashed) ++crashes_;
  const Task* const culprit = crashed ? culprit_of(provider) : nullptr;
  for (auto& [task, executing] : held) {
    if (GENAI_PLANTED(kForgetRequeue) && executing) continue;
    const bool blamed = executing && cause == Cause::kLoss;
    if (blamed) task->attempt(task->current)->failed = true;
    if (blamed && crashed)
      measures_.failed(provider.record->measured, task->entry->group->model, true, to_ms(now.wall));
    if (task == culprit) {
      quarantine(*task, now);
      continue;
    }
    if (cause == Cause::kDrain)
      take_back(*task, code, "node " + reason, now);
    else
      requeue(*task, executing ? cause : Cause::kNobody, code, "node lost: " + reason, now);
  }
  // One that comes and goes is given less and less.
  if (crashed || (cause == Cause::kDrain && !held.empty()))
    providers_.count_failure(provider, now.mono);
  save_later(provider, now);
  ask_elsewhere(provider, now);
  providers_.remove(provider);
}

/// Whether so many nodes vanish at once that this side, or the network, is the likelier cause: more
/// of them within the lost time than are left.
bool Core::is_mass_loss(const Provider& provider, const Now& now) {
  constexpr std::size_t kLeast = 3;
  const NodeId& node = provider.node_id;
  while (!losses_.empty() && losses_.front().first + config_.lost <= now.mono) {
    lost_of_late_.erase(losses_.front().second);
    losses_.pop_front();
  }
  const bool explained = std::ranges::any_of(provider.tasks, [&](const QueueEntry* entry) {
    return provider.is_executing(*entry) && follows_loss(*entry->record);
  });
  if (explained) return false;
  if (lost_of_late_.insert(node).second) losses_.emplace_back(now.mono, node);
  return losses_.size() >= kLeast && losses_.size() >= providers_.size();
}

/// Whether the task was executed by another node that was lost of late: then it
/// is the task that goes from node to node, and no network that fails for all
/// of them.
bool Core::follows_loss(const TaskRecord& task) const {
  return std::ranges::any_of(task.issued, [&](const IssuedAttempt& attempt) {
    return attempt.failed && lost_of_late_.contains(attempt.node_id);
  });
}

/// The task that this and earlier nodes were lost for. Of several the one that
/// began last: the node has lived with the others for longer.
Task* Core::culprit_of(const Provider& provider) {
  const QueueEntry* culprit = nullptr;
  for (const QueueEntry* entry : provider.tasks)
    if (provider.is_executing(*entry) && is_dangerous(task_of(*entry), provider) &&
        (!culprit || entry->begun_at >= culprit->begun_at))
      culprit = entry;
  return culprit ? &task_of(*culprit) : nullptr;
}

/// Whether nodes are lost because of the task: several were lost while they executed it, and those
/// are at least half of all losses since it was accepted. If it was always one and the same node,
/// the node may be to blame: unless it did other work in between.
bool Core::is_dangerous(const Task& task, const Provider& provider) const {
  const std::uint32_t losses = task.losses + 1;
  const bool only_here = nodes_failed(task) < 2;
  return losses >= config_.max_crashes && !(only_here && provider.record->failures > 0) &&
         2 * std::uint64_t{losses} >= crashes_ - std::min(task.crashes_before, crashes_);
}

void Core::quarantine(Task& task, const Now& now) {
  ++task.losses;
  const std::size_t nodes = nodes_failed(task);
  finish(task, TaskStatus::kFailed, ErrorCode::kQuarantined,
         fmt::format("quarantined: {} times a node was lost while it executed this task ({} "
                     "different node{})",
                     task.losses, nodes, nodes == 1 ? "" : "s"),
         now, task.attempt(task.current));
}

}  // namespace genai::dispatcher
