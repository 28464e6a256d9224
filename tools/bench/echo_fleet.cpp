#include "tools/bench/echo_fleet.h"

#include "protocol/base/limits.h"
#include "protocol/transport/system.h"
#include "protocol/wire/codec.h"

namespace genai::bench {
namespace {

constexpr Duration kBeat = from_ms(1000);
constexpr std::chrono::milliseconds kPoll{20};
constexpr int kDrainMessages = 1000;  // before heartbeats are looked at

}  // namespace

EchoFleet::EchoFleet(const EchoOptions& options)
    : options_(options),
      name_("bench-" + transport::random_id<SessionId>().short_hex()),
      result_(std::string(options.result_bytes, 'r')),
      hub_(options.broker, options.connections) {
  for (std::size_t i = 0; i < options_.connections; ++i)
    nodes_.push_back({transport::random_id<SessionId>(),
                      *NodeId::parse(name_ + "-" + std::to_string(i)),
                      false,
                      0,
                      {}});
  thread_ = std::thread([this] { run(); });
}

EchoFleet::~EchoFleet() {
  stopping_ = true;
  thread_.join();
}

void EchoFleet::run() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Duration now = transport::read_clock().mono;
    beat(i);
    drain();
    // From then on spread over the interval, as those of real nodes are.
    beats_.emplace(
        now + kBeat * static_cast<std::int64_t>(i + 1) / static_cast<std::int64_t>(nodes_.size()),
        i);
  }
  while (!stopping_) {
    hub_.wait(kPoll);
    drain();
    const Duration now = transport::read_clock().mono;
    while (beats_.begin()->first <= now) {
      const std::size_t node = beats_.begin()->second;
      beats_.erase(beats_.begin());
      beats_.emplace(now + kBeat, node);
      beat(node);
    }
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    hub_.send(i, encode(msg::Bye{"the benchmark is over"}));
}

void EchoFleet::beat(std::size_t node) {
  Node& self = nodes_[node];
  std::vector<AssignmentRef> held;
  for (const auto& [ref, sent_at] : self.held) held.push_back(ref);
  if (self.joined) {
    hub_.send(node, encode(msg::Heartbeat{++self.seq, held, {}}));
    return resend_results(node);
  }
  PublicMetaInfo meta;
  meta.slots = options_.slots;
  hub_.send(node, encode(msg::Hello{self.node_id, self.session, meta, held}));
}

void EchoFleet::drain() {
  for (int i = 0; i < kDrainMessages; ++i) {
    const auto arrival = hub_.receive();
    if (!arrival) return;
    on_frame(arrival->connection, arrival->frame);
  }
}

void EchoFleet::on_frame(std::size_t node, const Blob& frame) {
  const auto message = decode<ToNode>(frame);
  if (!message) return;
  Node& self = nodes_[node];
  if (std::holds_alternative<msg::Welcome>(*message)) self.joined = true;
  if (const auto* error = std::get_if<msg::ErrorReply>(&*message))
    if (error->code == ErrorCode::kUnknownSession) self.joined = false;
  if (const auto* assign = std::get_if<msg::Assign>(&*message)) on_assign(node, *assign);
  if (const auto* ack = std::get_if<msg::ResultAck>(&*message))
    for (const auto& entry : ack->entries) self.held.erase(entry.ref);
  if (const auto* abort = std::get_if<msg::Abort>(&*message)) {
    msg::AbortAck answer;
    for (const auto& entry : abort->entries)
      answer.entries.push_back({entry.ref, self.held.contains(entry.ref)
                                               ? msg::AbortOutcome::kFinished
                                               : msg::AbortOutcome::kNotHeld});
    hub_.send(node, encode(answer));
  }
}

void EchoFleet::on_assign(std::size_t node, const msg::Assign& assign) {
  msg::AssignAck taken;
  std::vector<AssignmentRef> done;
  for (const auto& entry : assign.entries) {
    taken.entries.push_back({entry.ref, ErrorCode::kOk, ""});
    if (nodes_[node].held.emplace(entry.ref, Duration{0}).second) done.push_back(entry.ref);
  }
  hub_.send(node, encode(taken));
  executed_ += done.size();
  send_results(node, done);
}

/// Results keep to the batch limit; a fleet of real nodes sends each alone.
void EchoFleet::send_results(std::size_t node, const std::vector<AssignmentRef>& refs) {
  const Duration now = transport::read_clock().mono;
  msg::Result part;
  std::size_t part_bytes = 0;
  for (const AssignmentRef& ref : refs) {
    nodes_[node].held[ref] = now;
    part.entries.push_back({ref, msg::Outcome::kOk, {}, result_});
    part_bytes += result_.size();
    if (part_bytes < limits::kBatchTargetBytes) continue;
    hub_.send(node, encode(std::exchange(part, {})));
    part_bytes = 0;
  }
  if (!part.entries.empty()) hub_.send(node, encode(part));
}

/// A frame is lost when its connection takes no more, or while the broker has no dispatcher:
/// without this the client would wait for its results for ever.
void EchoFleet::resend_results(std::size_t node) {
  const Duration sent_before = transport::read_clock().mono - options_.resend;
  std::vector<AssignmentRef> overdue;
  for (const auto& [ref, sent_at] : nodes_[node].held)
    if (sent_at <= sent_before) overdue.push_back(ref);
  resent_ += overdue.size();
  send_results(node, overdue);
}

}  // namespace genai::bench
