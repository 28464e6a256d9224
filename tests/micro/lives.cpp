#include "tests/micro/lives.h"

#include <fmt/format.h>

#include <stdexcept>

#include "protocol/wire/messages.h"
#include "tests/micro/allocations.h"
#include "tests/micro/binary_id.h"

namespace genai::micro {
namespace {

constexpr const char* kClient = "client";
constexpr std::size_t kMaxIdlePasses = 10'000;

Message message_of(const std::string& frame, Direction direction) {
  auto message = decode(Blob(frame), direction);
  if (!message) throw std::runtime_error(message.error().detail);
  return std::move(*message);
}

broker::Config broker_config() {
  broker::Config config;
  config.instance = binary_id<InstanceId>(1);
  return config;
}

}  // namespace

Lives::Lives(const Shape& shape)
    : shape_(shape),
      picture_(shape.result_bytes, 'p'),
      broker_(broker_config(), now_),
      dispatcher_({}, binary_id<InstanceId>(2), 1, {"ipc://broker"}, now_) {
  pass();  // the link
  join();
  pass();
}

void Lives::join() {
  for (std::size_t i = 0; i < shape_.nodes; ++i) {
    msg::Hello hello;
    hello.node_id = *NodeId::parse(fmt::format("node-{}", i));
    hello.session = binary_id<SessionId>(i + 1);
    hello.meta.slots = static_cast<std::uint32_t>(shape_.slots);
    hello.meta.models = {"sdxl"};
    from_node(fmt::format("peer-{}", i), hello);
  }
}

void Lives::run(std::size_t tasks) {
  to_submit_ = tasks;
  for (std::size_t idle = 0; to_submit_ + open_ != 0; ++idle) {
    const std::size_t before = to_submit_ + open_;
    while (to_submit_ != 0 && open_ + std::min(shape_.batch, to_submit_) <= shape_.window) submit();
    pass();
    if (to_submit_ + open_ != before) idle = 0;
    if (idle == kMaxIdlePasses) throw std::runtime_error("tasks do not come to their end");
  }
}

void Lives::submit() {
  msg::Submit message;
  message.request = submitted_;
  for (std::size_t i = 0; i < shape_.batch && to_submit_ != 0; ++i, --to_submit_, ++open_) {
    TaskSpec spec;
    spec.needs.model = "sdxl";
    message.tasks.push_back({*TaskId::parse(fmt::format("task-{:031}", ++submitted_)), spec,
                             Blob(std::string(shape_.payload_bytes, 'x'))});
  }
  const Blob frame(encode(message));
  const Counting counting(allocations_.dispatcher);
  dispatcher_.handle(dispatcher::ClientFrame{kClient, Identity::anyone(), frame}, now_);
}

/// A turn of both loops and of everybody else.
void Lives::pass() {
  now_.mono += from_ms(1);
  now_.wall += from_ms(1);
  dispatcher::Effects effects;
  {
    const Counting counting(allocations_.dispatcher);
    dispatcher_.expire(now_);
    effects = dispatcher_.take_events();
  }
  send(effects.at_once);
  send(effects.durable);
  broker::Events out;
  {
    const Counting counting(allocations_.broker);
    broker_.expire(now_);
    out = broker_.take_events();
  }
  for (const auto& output : out.to_link) to_dispatcher(output.frame);
  for (const auto& output : out.to_nodes) serve(output.peer, output.frame);
}

void Lives::send(const dispatcher::Messages& messages) {
  const auto encoded = [this](const Message& message) {
    const Counting counting(allocations_.dispatcher);
    return encode(message);
  };
  for (const auto& [broker, message] : messages.to_brokers) to_broker(encoded(message));
  for (const auto& [peer, message] : messages.to_clients) read(encoded(message));
}

void Lives::to_broker(const std::string& frame) {
  const Blob blob{std::string(frame)};
  const Counting counting(allocations_.broker);
  broker_.handle(broker::LinkFrame{{"link", Identity::anyone()}, blob}, now_);
}

void Lives::to_dispatcher(const std::string& frame) {
  const Blob blob{std::string(frame)};
  const Counting counting(allocations_.dispatcher);
  dispatcher_.handle(dispatcher::LinkFrame{0, blob}, now_);
}

void Lives::from_node(const std::string& peer, const Message& message) {
  const Blob frame(encode(message));
  const Counting counting(allocations_.broker);
  broker_.handle(broker::NodeFrame{{peer, Identity::anyone()}, frame}, now_);
}

/// A node that is done at once.
void Lives::serve(const std::string& peer, const std::string& frame) {
  const Message message = message_of(frame, Direction::kToNode);
  const auto* assign = std::get_if<msg::Assign>(&message);
  if (!assign) return;
  msg::AssignAck acks;
  msg::Result results;
  for (const auto& entry : assign->entries) {
    acks.entries.push_back({entry.ref, ErrorCode::kOk, {}});
    results.entries.push_back({entry.ref, msg::Outcome::kOk, {{"run_ms", 5u}}, Blob(picture_)});
  }
  from_node(peer, acks);
  from_node(peer, results);
}

/// A client that takes everything.
void Lives::read(const std::string& frame) {
  const Message message = message_of(frame, Direction::kToClient);
  const auto* deliver = std::get_if<msg::Deliver>(&message);
  if (!deliver) return;
  msg::DeliverAck ack;
  for (const auto& entry : deliver->entries) ack.ids.push_back(entry.task_id);
  open_ -= ack.ids.size();
  const Blob acknowledgement(encode(ack));
  const Counting counting(allocations_.dispatcher);
  dispatcher_.handle(dispatcher::ClientFrame{kClient, Identity::anyone(), acknowledgement}, now_);
}

}  // namespace genai::micro
