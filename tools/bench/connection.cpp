#include "tools/bench/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "protocol/base/limits.h"
#include "protocol/transport/system.h"
#include "protocol/wire/codec.h"
#include "tools/bench/wait.h"

namespace genai::bench {
namespace {

constexpr Duration kSilence = from_ms(30'000);
constexpr Duration kCheck = from_ms(100);
constexpr Duration kAskAgain = from_ms(200);
constexpr int kQueueMessages = 100'000;
constexpr int kLingerMs = 1000;  // the last DELIVER_ACK should arrive

Duration now() { return transport::read_clock().mono; }

}  // namespace

Connection::Connection(transport::Context& context, const std::string& dispatcher,
                       std::function<void()> check)
    : check_(std::move(check)),
      socket_(context, {limits::kMaxFrameBytes, kQueueMessages, kQueueMessages, kLingerMs},
              dispatcher) {}

void Connection::send(const ClientRequest& message) {
  if (socket_.send(encode(message)) != transport::SendResult::kQueued)
    throw std::runtime_error("the dispatcher does not read, or the connection is lost");
}

std::optional<ClientReply> Connection::receive(Duration timeout) {
  if (const Duration at = now(); at >= check_at_) {
    check_();
    check_at_ = at + kCheck;
  }
  auto received = socket_.receive();
  if (!received) {
    wait_readable(socket_.ref(), std::min(timeout, kCheck));
    received = socket_.receive();
  }
  if (!received) return std::nullopt;
  auto message = decode<ClientReply>(received->frame);
  if (!message) throw std::runtime_error("undecodable: " + message.error().detail);
  if (const auto* error = std::get_if<msg::ErrorReply>(&*message))
    throw std::runtime_error(fmt::format("{}: {}", name(error->code), error->detail));
  return std::move(*message);
}

ClientReply Connection::must_receive() {
  const Duration give_up = now() + kSilence;
  for (;;) {
    if (auto message = receive()) return std::move(*message);
    if (now() >= give_up) throw Silence("nothing from the dispatcher for 30 s");
  }
}

template <class Query, class Reply>
Reply Connection::ask() {
  const Duration give_up = now() + kSilence;
  Duration ask_at{0};
  for (;;) {
    // Asks again: what is sent while the connection is being made is dropped.
    const Duration at = now();
    if (at >= give_up) throw Silence("no answer from the dispatcher for 30 s");
    if (at >= ask_at) {
      socket_.send(encode(Query{next_request()}));
      ask_at = at + kAskAgain;
    }
    auto message = receive();
    if (!message) continue;
    if (auto* reply = std::get_if<Reply>(&*message); reply && reply->request == request_)
      return std::move(*reply);
  }
}

ValueMap Connection::stats() { return ask<msg::StatsQuery, msg::Stats>().stats; }

void Connection::wait_online(std::size_t count, const std::string& prefix) {
  const auto is_ours = [&](const ValueMap& node) {
    return get_string(node, "state") == "online" && get_string(node, "node_id").starts_with(prefix);
  };
  const Duration give_up = now() + kSilence;
  for (;;) {
    const auto nodes = ask<msg::NodesQuery, msg::NodeList>().nodes;
    if (static_cast<std::size_t>(std::ranges::count_if(nodes, is_ours)) >= count) return;
    if (now() >= give_up) throw Silence("the nodes did not come online within 30 s");
    std::this_thread::sleep_for(from_ms(20));
  }
}

}  // namespace genai::bench
