#include "broker_host.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "protocol/wire/messages.h"

namespace genai::sim {

void BrokerHost::start() {
  core_ = std::make_unique<broker::Core>(
      broker::Config{env_.fresh_id<InstanceId>(), broker::Timing{}, 50}, clock());
  events_ = {};
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
  core_->expire(clock);
  take_events();
  apply(clock);
  core_->check();
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
  const std::size_t first = events_.to_nodes.size();
  handle_as_is(arrival, clock);
  take_events();
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
  const broker::Sender from{arrival.peer, *arrival.who};
  if (arrival.port == Port::kNodes)
    core_->handle(broker::NodeFrame{from, arrival.frame}, clock);
  else
    core_->handle(broker::LinkFrame{from, arrival.frame}, clock);
}

void BrokerHost::take_events() {
  const auto move_all = [](auto& from, auto& to) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
  };
  broker::Events events = core_->take_events();
  move_all(events.to_nodes, events_.to_nodes);
  move_all(events.to_link, events_.to_link);
  move_all(events.notes, events_.notes);
}

/// A dispatcher that was succeeded reaches no node any more.
void BrokerHost::check_fence(std::size_t first_output) {
  for (std::size_t i = first_output; i < events_.to_nodes.size(); ++i) {
    const auto message = decode(Blob(events_.to_nodes[i].frame), Direction::kToNode);
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
  const broker::Events events = std::exchange(events_, {});
  for (const broker::NodeOutput& output : events.to_nodes) {
    const Sent sent = env_.network->send_to_client(id(), output.peer, output.frame);
    if (sent == Sent::kQueued) continue;
    env_.coverage.count("broker undeliverable");
    core_->handle(broker::Undeliverable{output, code(sent)}, clock);
  }
  std::set<broker::Peer> failed;
  for (const broker::LinkOutput& output : events.to_link) {
    if (failed.contains(output.peer)) continue;
    const Sent sent = env_.network->send_to_client(id(), output.peer, output.frame);
    if (sent == Sent::kQueued) continue;
    failed.insert(output.peer);
    core_->handle(broker::LinkUndeliverable{output.peer, code(sent)}, clock);
  }
  for (const LogEvent& note : events.notes) {
    env_.coverage.count("broker: " + note.text);
    show(note);
  }
}

}  // namespace genai::sim
