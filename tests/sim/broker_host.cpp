#include "broker_host.h"

#include <set>
#include <utility>

#include "protocol/wire/messages.h"

namespace genai::sim {

void BrokerHost::start() {
  core_ = std::make_unique<broker::Core>(
      broker::Config{env_.fresh_id<InstanceId>(), broker::Timing{}, 50}, clock());
  effects_.clear();
  epoch_ = 0;
  forget_arrivals();
  env_.note("{} starts", name());
  wake_now();
}

void BrokerHost::crash() {
  env_.note("{} is killed", name());
  core_.reset();
  forget_arrivals();
  env_.network->close_all(id());
}

void BrokerHost::run(const Now& clock) {
  for (const Arrival& arrival : take_arrivals()) handle(arrival, clock);
  core_->tick(clock, effects_);
  apply(clock);
  core_->check_invariants();
  require(core_->snapshot(clock).providers.size() <= 50, "{} has too many sessions", name());
}

/// What cannot be read, and what its sender may not say, must leave everything as it was. What
/// nodes say to the dispatcher is not read here, and is a sign of life whatever it says.
void BrokerHost::handle(const Arrival& arrival, const Now& clock) {
  const auto direction =
      arrival.port == Port::kNodes ? Direction::kFromNode : Direction::kLinkToBroker;
  const auto message = decode(arrival.frame, direction);
  const auto type = peek_type(arrival.frame.view(), direction);
  if (!message && !(type && is_node_task_type(*type))) {
    env_.coverage.count("broker malformed frame");
    return handle_powerless(arrival, clock);
  }
  const auto* hello = std::get_if<msg::Hello>(message ? &*message : nullptr);
  if (hello && hello->node_id != arrival.who->node) return handle_powerless(arrival, clock);
  const std::size_t first = effects_.to_nodes.size();
  handle_as_is(arrival, clock);
  if (const auto* link = std::get_if<msg::LinkHello>(message ? &*message : nullptr);
      link && arrival.who->kind == Identity::Kind::kDispatcher)
    epoch_ = std::max(epoch_, link->epoch);
  check_fence(first);
}

void BrokerHost::handle_powerless(const Arrival& arrival, const Now& clock) {
  const std::string before = encode(Message(core_->snapshot(clock)));
  handle_as_is(arrival, clock);
  require(encode(Message(core_->snapshot(clock))) == before,
          "{}: a frame that means nothing changed something", name());
}

void BrokerHost::handle_as_is(const Arrival& arrival, const Now& clock) {
  if (arrival.port == Port::kNodes)
    core_->handle_node_frame(arrival.peer, *arrival.who, arrival.frame, clock, effects_);
  else
    core_->handle_link_frame(arrival.peer, *arrival.who, arrival.frame, clock, effects_);
}

/// A dispatcher that was succeeded reaches no node any more.
void BrokerHost::check_fence(std::size_t first_output) {
  for (std::size_t i = first_output; i < effects_.to_nodes.size(); ++i) {
    const auto message = decode(Blob(effects_.to_nodes[i].frame), Direction::kToNode);
    if (!message) continue;
    if (const auto* assign = std::get_if<msg::Assign>(&*message))
      for (const auto& entry : assign->entries)
        require(entry.ref.epoch >= epoch_, "{} passes an assignment of epoch {} on under {}",
                name(), entry.ref.epoch, epoch_);
  }
}

void BrokerHost::apply(const Now& clock) {
  const auto code = [](Sent sent) {
    return sent == Sent::kGone ? ErrorCode::kUnreachable : ErrorCode::kPeerFull;
  };
  for (std::size_t i = 0; i < effects_.to_nodes.size(); ++i) {
    broker::NodeOutput output = std::move(effects_.to_nodes[i]);
    const Sent sent = env_.network->send_to_client(id(), output.peer, std::move(output.frame));
    if (sent == Sent::kQueued) continue;
    env_.coverage.count("broker undeliverable");
    core_->handle_undeliverable(output, code(sent), clock, effects_);
  }
  std::set<broker::Peer> failed;
  for (std::size_t i = 0; i < effects_.to_link.size(); ++i) {
    broker::LinkOutput output = std::move(effects_.to_link[i]);
    if (failed.contains(output.peer)) continue;
    const Sent sent = env_.network->send_to_client(id(), output.peer, std::move(output.frame));
    if (sent == Sent::kQueued) continue;
    failed.insert(output.peer);
    core_->handle_link_undeliverable(output.peer, code(sent), clock, effects_);
  }
  for (const broker::Notice& notice : effects_.notices) {
    env_.coverage.count("broker " + std::string(sim::name(notice.kind)));
    env_.note("{}: {} {} {}", name(), sim::name(notice.kind), notice.node_id.str(), notice.reason);
  }
  effects_.clear();
}

}  // namespace genai::sim
