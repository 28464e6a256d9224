#include "tools/bench/virtual_fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "protocol/base/limits.h"
#include "protocol/wire/codec.h"
#include "tools/bench/window.h"

namespace genai::bench {
namespace {

constexpr Now kStart{from_ms(1'000'000), from_ms(1'700'000'000'000)};
constexpr Duration kBeat = from_ms(1000);
// From the dispatcher to a node. The way back takes no time: only the sum matters to a task.
constexpr Duration kHop = from_ms(1);
constexpr Duration kGiveUp = from_ms(24ull * 3600 * 1000);
constexpr const char* kClient = "client";
constexpr const char* kIdPrefix = "t";

template <class Id>
Id binary_id(std::size_t number) {
  typename Id::Bytes bytes{};
  bytes[0] = static_cast<std::uint8_t>(number >> 8);
  bytes[1] = static_cast<std::uint8_t>(number);
  bytes[15] = 1;
  return Id(bytes);
}

const InstanceId kBroker = binary_id<InstanceId>(1), kDispatcher = binary_id<InstanceId>(2);

msg::ProviderEntry entry_of(const SessionId& session, const VirtualNode& node) {
  const auto number = static_cast<unsigned char>(session.view()[1]);
  return {session, *NodeId::parse(fmt::format("node-{}", number)), ProviderState::kOnline,
          node.meta(), node.held()};
}

}  // namespace

VirtualFleet::VirtualFleet(const dispatcher::Config& config, std::uint64_t seed)
    : seed_(seed),
      now_(kStart),
      core_(config, kDispatcher, 1, {"virtual"}, now_),
      beat_at_(now_.mono + kBeat) {}

void VirtualFleet::join(NodeTraits traits, Duration at) {
  plan_.emplace(kStart.mono + at, [this, traits = std::move(traits)] { join_now(traits); });
}

void VirtualFleet::submit(std::vector<VirtualTask> tasks, Duration at) {
  open_ += tasks.size();
  plan_.emplace(kStart.mono + at, [this, tasks = std::move(tasks)] { submit_now(tasks); });
}

void VirtualFleet::run() {
  settle();  // the core says hello, and the snapshot that answers it brings the link up
  while (open_ > 0) {
    act();
    settle();
    advance();
  }
  if (core_.live_tasks() != 0) throw std::runtime_error("delivered tasks are not terminal");
}

/// Everything outside the dispatcher whose time has come.
void VirtualFleet::act() {
  while (!plan_.empty() && plan_.begin()->first <= now_.mono)
    plan_.extract(plan_.begin()).mapped()();
  for (; !in_flight_.empty() && in_flight_.front().arrives <= now_.mono; in_flight_.pop_front())
    nodes_.at(in_flight_.front().session).handle(in_flight_.front().message);
  for (auto& [session, node] : nodes_) {
    node.tick(now_.mono);
    send_from(session, node);
  }
  if (beat_at_ <= now_.mono) beat_all();
}

void VirtualFleet::settle() {
  do {
    core_.expire(now_);
  } while (apply_effects());
}

/// True when something left: what answers at once has to be seen to by another tick.
bool VirtualFleet::apply_effects() {
  dispatcher::Effects effects = core_.take_events();
  bool any = false;
  for (const auto* messages : {&effects.at_once, &effects.durable}) {
    for (const auto& out : messages->to_brokers) hear_broker(out.message);
    for (const auto& out : messages->to_clients) hear_client(out.message);
    any |= !messages->empty();
  }
  return any;
}

void VirtualFleet::advance() {
  const Duration next = next_deadline();
  if (next <= now_.mono) throw std::runtime_error("the dispatcher's deadline stands still");
  if (next - kStart.mono > kGiveUp) throw std::runtime_error("the tasks do not end");
  now_.wall += next - now_.mono;
  now_.mono = next;
}

Duration VirtualFleet::next_deadline() const {
  Duration at = std::min(core_.next_deadline(), beat_at_);
  if (!plan_.empty()) at = std::min(at, plan_.begin()->first);
  if (!in_flight_.empty()) at = std::min(at, in_flight_.front().arrives);
  for (const auto& [session, node] : nodes_) at = std::min(at, node.next_deadline());
  return at;
}

// ---- the broker and its nodes

void VirtualFleet::hear_broker(const LinkToBroker& message) {
  if (std::holds_alternative<msg::LinkHello>(message)) return send_snapshot();
  const auto* parcels = std::get_if<msg::ToNodes>(&message);
  if (!parcels) return;
  for (const msg::Parcel& parcel : parcels->parcels) {
    auto inner = decode<ToNode>(parcel.frame);
    if (!inner) throw std::runtime_error("undecodable: " + inner.error().detail);
    in_flight_.push_back({now_.mono + kHop, parcel.session, std::move(*inner)});
  }
}

void VirtualFleet::join_now(NodeTraits traits) {
  const std::size_t number = nodes_.size() + 1;
  const auto session = binary_id<SessionId>(number);
  Draw draw(seed_, static_cast<std::uint32_t>(number));
  const auto [node, added] = nodes_.emplace(session, VirtualNode(std::move(traits), draw));
  send_change(msg::Delta::Joined{entry_of(session, node->second)});
}

void VirtualFleet::beat_all() {
  beat_at_ = now_.mono + kBeat;
  for (auto& [session, node] : nodes_)
    send_change(msg::Delta::Beat{session, node.held(), node.loaded_models()});
}

void VirtualFleet::send_from(const SessionId& session, VirtualNode& node) {
  msg::FromNodes parcels;
  for (const FromNode& message : node.take_messages())
    parcels.parcels.push_back({session, Blob(encode(message))});
  if (!parcels.parcels.empty()) send_link(parcels);
  if (node.take_memory_changed())
    send_change(msg::Delta::Beat{session, node.held(), node.loaded_models()});
}

void VirtualFleet::send_snapshot() {
  msg::Snapshot snapshot{kBroker, delta_, to_ms(elapsed()), {}};
  for (const auto& [session, node] : nodes_) snapshot.providers.push_back(entry_of(session, node));
  send_link(snapshot);
}

void VirtualFleet::send_change(msg::Delta::Change change) {
  send_link(msg::Delta{kBroker, ++delta_, {std::move(change)}});
}

void VirtualFleet::send_link(const LinkToDispatcher& message) {
  core_.handle(dispatcher::LinkFrame{0, Blob(encode(message))}, now_);
}

// ---- the client

void VirtualFleet::submit_now(const std::vector<VirtualTask>& tasks) {
  for (std::size_t i = 0; i < tasks.size();) {
    msg::Submit message{1, msg::WatchLevel::kResult, {}};
    for (; i < tasks.size() && message.tasks.size() < limits::kMaxBatchEntries; ++i) {
      TaskSpec spec;
      spec.needs.model = tasks[i].model;
      spec.tenant = tasks[i].tenant;
      spec.ttl_ms = limits::kMaxTtlMs;
      message.tasks.push_back({*TaskId::parse(fmt::format("{}-{}", kIdPrefix, trips_.size())),
                               make_spec(std::move(spec), {}), payload_of(tasks[i].work)});
      trips_.push_back({.tenant = tasks[i].tenant, .accepted_at = elapsed()});
    }
    send_client(message);
  }
}

void VirtualFleet::hear_client(const ClientReply& message) {
  if (const auto* accepted = std::get_if<msg::Accepted>(&message)) return on_accepted(*accepted);
  if (const auto* deliver = std::get_if<msg::Deliver>(&message)) return on_deliver(*deliver);
  throw std::runtime_error("an unexpected answer from the dispatcher");
}

void VirtualFleet::on_accepted(const msg::Accepted& message) {
  for (const auto& verdict : message.verdicts)
    if (verdict.code != ErrorCode::kOk)
      throw std::runtime_error(fmt::format("refused: {} {}", name(verdict.code), verdict.detail));
}

void VirtualFleet::on_deliver(const msg::Deliver& message) {
  msg::DeliverAck ack;
  for (const auto& entry : message.entries) {
    VirtualTrip& t = trip(entry.task_id);
    if (t.ended_at != kNever) throw std::runtime_error("delivered again what was acknowledged");
    t.ended_at = elapsed();
    t.status = entry.status;
    t.run = from_ms(get_uint(entry.info, "run_ms"));
    ack.ids.push_back(entry.task_id);
    --open_;
  }
  send_client(ack);
}

VirtualTrip& VirtualFleet::trip(const TaskId& id) {
  const auto number = number_of(id.view(), kIdPrefix);
  if (!number || *number >= trips_.size()) throw std::runtime_error("delivered an unknown task");
  return trips_[*number];
}

void VirtualFleet::send_client(const ClientRequest& message) {
  core_.handle(dispatcher::ClientFrame{kClient, Identity::anyone(), Blob(encode(message))}, now_);
}

// ---- figures

std::uint64_t VirtualFleet::loads() const {
  return std::accumulate(
      nodes_.begin(), nodes_.end(), std::uint64_t{0},
      [](std::uint64_t sum, const auto& node) { return sum + node.second.loads(); });
}

std::uint64_t VirtualFleet::errors() const {
  return std::accumulate(
      nodes_.begin(), nodes_.end(), std::uint64_t{0},
      [](std::uint64_t sum, const auto& node) { return sum + node.second.errors(); });
}

Duration VirtualFleet::elapsed() const { return now_.mono - kStart.mono; }

}  // namespace genai::bench
