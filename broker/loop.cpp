#include "broker/loop.h"

#include <csignal>
#include <set>
#include <utility>

#include "protocol/base/limits.h"
#include "protocol/runtime/logging.h"
#include "protocol/transport/system.h"

namespace genai::broker {
namespace {

using transport::Router;
using transport::SendResult;
using transport::SocketLimits;

constexpr int kNodeQueueMessages = 1000;     // limit
constexpr int kLinkQueueMessages = 100'000;  // limit
// The others wait for their heartbeats. Peers are read in turn, so each of them is heard even when
// one sends without end.
constexpr transport::Turn kTurn{1000, 64u << 20, from_ms(100)};
// After a late wake-up whatever has come is heard before anyone is judged, within reason.
constexpr transport::Turn kLateTurn{100'000, kTurn.bytes, from_ms(1000)};

SocketLimits node_socket_limits() {
  return {limits::kMaxFrameBytes, kNodeQueueMessages, limits::kMaxUnreadMessages};
}
SocketLimits link_socket_limits() {
  SocketLimits all{limits::kMaxLinkFrameBytes, kLinkQueueMessages, limits::kMaxUnreadMessages};
  all.max_unsent_bytes = limits::kMaxUnsentBytes;  // it carries what all nodes say
  return all;
}

Config with_instance(Config config) {
  config.instance = transport::random_id<InstanceId>();
  return config;
}

ErrorCode code_of(SendResult result) {
  return result == SendResult::kGone ? ErrorCode::kUnreachable : ErrorCode::kPeerFull;
}

}  // namespace

Loop::Loop(const Options& options)
    : options_(options),
      guard_(context_, options.security),
      nodes_(context_, node_socket_limits(), guard_.key_for(options.nodes_endpoint)),
      link_(context_, link_socket_limits(), guard_.key_for(options.link_endpoint)),
      core_(with_instance(options.config), transport::read_clock()) {}

Expected<void> Loop::bind() {
  const auto nodes = nodes_.bind(options_.nodes_endpoint);
  if (!nodes) return fail(nodes.error().code, "nodes-endpoint: " + nodes.error().detail);
  const auto link = link_.bind(options_.link_endpoint);
  if (!link) return fail(link.error().code, "link-endpoint: " + link.error().detail);
  runtime::log_info("broker ready", {{"nodes_endpoint", *nodes},
                                     {"link_endpoint", *link},
                                     {"authorized_keys", guard_.authorized()}});
  return {};
}

void Loop::run(runtime::SignalFd& signals) {
  transport::PollSet poll;
  poll.add(nodes_);
  poll.add(link_);
  poll.add_fd(signals.fd());
  if (guard_.reload_fd() >= 0) poll.add_fd(guard_.reload_fd());
  Duration last = transport::read_clock().mono;
  bool more = false;
  while (!stop_requested(signals)) {
    const Duration idle = core_.next_deadline() - transport::read_clock().mono;
    poll.wait(more ? Duration(0) : idle);
    const Now now = transport::read_clock();
    const bool late = now.mono - last > options_.config.timing.heartbeat;
    last = now.mono;
    if (const KeySet revoked = guard_.take_revoked(); !revoked.empty())
      core_.handle(KeysRevoked{revoked}, now);
    more = drain(late ? kLateTurn : kTurn, now);
    core_.handle(SocketsRead{more}, now);
    core_.expire(now);
    apply(now);
  }
}

/// True when messages may be left.
bool Loop::drain(const transport::Turn& turn, const Now& now) {
  const bool nodes = drain_nodes(turn, now);
  const bool link = drain_link(turn, now);
  return nodes || link;
}

bool Loop::drain_nodes(const transport::Turn& turn, const Now& now) {
  return transport::drain(nodes_, turn, [&](const transport::Received& received) {
    const Sender from{received.peer, guard_.identify(nodes_, received)};
    if (received.well_formed)
      core_.handle(NodeFrame{from, received.frame}, now);
    else
      core_.handle(MalformedNode{from}, now);
  });
}

bool Loop::drain_link(const transport::Turn& turn, const Now& now) {
  return transport::drain(link_, turn, [&](const transport::Received& received) {
    const Sender from{received.peer, guard_.identify(link_, received)};
    if (received.well_formed)
      core_.handle(LinkFrame{from, received.frame}, now);
    else
      core_.handle(MalformedLink{from}, now);
  });
}

/// What cannot be sent makes events of its own: they are taken in the next turn, which is due then.
void Loop::apply(const Now& now) {
  Events events = core_.take_events();
  send_to_nodes(events.to_nodes, now);
  send_to_link(events.to_link, now);
  for (const LogEvent& note : events.notes) log_.write(note, now.mono);
}

void Loop::send_to_nodes(std::vector<NodeOutput>& outputs, const Now& now) {
  for (NodeOutput& output : outputs) {
    const SendResult result = nodes_.send(output.peer, std::move(output.frame));
    if (result != SendResult::kQueued) core_.handle(Undeliverable{output, code_of(result)}, now);
  }
}

void Loop::send_to_link(std::vector<LinkOutput>& outputs, const Now& now) {
  std::set<Peer> failed;  // nothing may follow what was not sent: the order would have a hole
  for (LinkOutput& output : outputs) {
    if (failed.contains(output.peer)) continue;
    const SendResult result = link_.send(output.peer, std::move(output.frame));
    if (result == SendResult::kQueued) continue;
    failed.insert(output.peer);
    core_.handle(LinkUndeliverable{output.peer, code_of(result)}, now);
  }
}

bool Loop::stop_requested(runtime::SignalFd& signals) {
  while (const auto signo = signals.read()) {
    if (*signo == SIGHUP) guard_.reload();
    if (*signo != SIGTERM && *signo != SIGINT) continue;
    runtime::log_info("broker stops", {{"signal", *signo}});
    return true;
  }
  return false;
}

}  // namespace genai::broker
