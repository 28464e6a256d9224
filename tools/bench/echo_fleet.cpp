#include "tools/bench/echo_fleet.h"

#include "protocol/codec.h"
#include "protocol/limits.h"
#include "protocol/transport/system.h"

namespace genai::bench {
namespace {

constexpr Duration kBeat = from_ms(1000);
constexpr Duration kPoll = from_ms(100);
constexpr int kQueueMessages = 100'000;
constexpr int kLingerMs = 1000;     // BYE should arrive
constexpr int kDrainMessages = 64;  // of one node, before the others have their turn

}  // namespace

EchoFleet::EchoFleet(const EchoOptions& options)
    : options_(options),
      name_("bench-" + transport::random_id<SessionId>().short_hex()),
      result_(std::string(options.result_bytes, 'r')) {
  for (unsigned i = 0; i < options_.connections; ++i)
    nodes_.push_back(
        {transport::Dealer(context_,
                           {limits::kMaxFrameBytes, kQueueMessages, kQueueMessages, kLingerMs},
                           options_.broker),
         transport::random_id<SessionId>(),
         *NodeId::parse(name_ + "-" + std::to_string(i)),
         false,
         0,
         Duration{0},
         {}});
  thread_ = std::thread([this] { run(); });
}

EchoFleet::~EchoFleet() {
  stopping_ = true;
  thread_.join();
}

void EchoFleet::run() {
  transport::PollSet poll;
  for (Node& node : nodes_) poll.add(node.socket);
  while (!stopping_) {
    poll.wait(kPoll);
    const Duration now = transport::read_clock().mono;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (poll.readable(i)) drain(nodes_[i]);
      if (nodes_[i].beat_at <= now) beat(nodes_[i], now);
    }
  }
  for (Node& node : nodes_) node.socket.send(encode(msg::Bye{"the benchmark is over"}));
}

void EchoFleet::beat(Node& node, Duration now) {
  node.beat_at = now + (node.joined ? kBeat : kPoll);
  const std::vector<AssignmentRef> held(node.held.begin(), node.held.end());
  if (node.joined) {
    node.socket.send(encode(msg::Heartbeat{++node.seq, held, {}}));
    return;
  }
  PublicMetaInfo meta;
  meta.slots = options_.slots;
  node.socket.send(encode(msg::Hello{node.node_id, node.session, meta, held}));
}

void EchoFleet::drain(Node& node) {
  for (int i = 0; i < kDrainMessages; ++i) {
    const auto received = node.socket.receive();
    if (!received) return;
    const auto message = decode(received->frame, Direction::kToNode);
    if (!message) continue;
    if (std::holds_alternative<msg::Welcome>(*message)) node.joined = true;
    if (const auto* error = std::get_if<msg::ErrorReply>(&*message))
      if (error->code == ErrorCode::kUnknownSession) node.joined = false;
    if (const auto* assign = std::get_if<msg::Assign>(&*message)) on_assign(node, *assign);
    if (const auto* ack = std::get_if<msg::ResultAck>(&*message))
      for (const auto& entry : ack->entries) node.held.erase(entry.ref);
    if (const auto* abort = std::get_if<msg::Abort>(&*message)) {
      msg::AbortAck answer;
      for (const auto& entry : abort->entries)
        answer.entries.push_back({entry.ref, node.held.contains(entry.ref)
                                                 ? msg::AbortOutcome::kFinished
                                                 : msg::AbortOutcome::kNotHeld});
      node.socket.send(encode(answer));
    }
  }
}

void EchoFleet::on_assign(Node& node, const msg::Assign& assign) {
  msg::AssignAck taken;
  msg::Result done;
  std::size_t bytes = 0;
  for (const auto& entry : assign.entries) {
    taken.entries.push_back({entry.ref, ErrorCode::kOk, ""});
    if (!node.held.insert(entry.ref).second) continue;
    done.entries.push_back({entry.ref, msg::Outcome::kOk, {}, result_});
    bytes += result_.size();
  }
  node.socket.send(encode(taken));
  executed_ += done.entries.size();
  // Results keep to the batch limit; a fleet of real nodes sends each alone.
  msg::Result part;
  std::size_t part_bytes = 0;
  for (auto& entry : done.entries) {
    part_bytes += entry.data.size();
    part.entries.push_back(std::move(entry));
    if (part_bytes < limits::kBatchTargetBytes) continue;
    node.socket.send(encode(std::exchange(part, {})));
    part_bytes = 0;
  }
  if (!part.entries.empty()) node.socket.send(encode(part));
}

}  // namespace genai::bench
