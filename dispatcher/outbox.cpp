#include "dispatcher/outbox.h"

#include <algorithm>

#include "protocol/codec.h"
#include "protocol/limits.h"
#include "protocol/planted.h"

namespace genai::dispatcher {
namespace {

constexpr std::size_t kEntryOverheadBytes = 256;

// Cuts a list of entries into messages that keep to the batch limits.
template <class M, class Entry, class SizeOf>
void cut(std::vector<Entry>& entries, std::vector<Entry> M::*list, SizeOf size_of,
         const std::string& peer, std::vector<Messages::ToClient>& out) {
  M message;
  std::size_t bytes = 0;
  auto close = [&] {
    if (!(message.*list).empty()) out.push_back({peer, std::move(message)});
    message = M();
    bytes = 0;
  };
  for (Entry& entry : entries) {
    const std::size_t size = size_of(entry) + kEntryOverheadBytes;
    if (bytes + size > limits::kBatchTargetBytes ||
        (message.*list).size() == limits::kMaxBatchEntries)
      close();
    bytes += size;
    (message.*list).push_back(std::move(entry));
  }
  close();
}

bool is_promise(const Message& message) {
  if (const auto* accepted = std::get_if<msg::Accepted>(&message))
    return std::ranges::any_of(accepted->verdicts,
                               [](const auto& v) { return v.code == ErrorCode::kOk; });
  return !std::holds_alternative<msg::ErrorReply>(message) &&
         !std::holds_alternative<msg::Stats>(message) &&
         !std::holds_alternative<msg::NodeList>(message) &&
         !std::holds_alternative<msg::Pong>(message);
}

}  // namespace

template <class M, class Entry>
void Outbox::append(NodeQueues& queues, const Provider& to, std::vector<Entry> M::*list,
                    Entry entry, std::size_t bytes) {
  NodeQueue& queue = queues[to.session];
  queue.broker = to.broker;
  M* last = queue.messages.empty() ? nullptr : std::get_if<M>(&queue.messages.back());
  bytes += kEntryOverheadBytes;
  if (!last || (last->*list).size() == limits::kMaxBatchEntries ||
      queue.last_bytes + bytes > limits::kBatchTargetBytes) {
    last = &std::get<M>(queue.messages.emplace_back(M()));
    queue.last_bytes = 0;
  }
  queue.last_bytes += bytes;
  (last->*list).push_back(std::move(entry));
}

void Outbox::assign(const Provider& to, msg::Assignment entry) {
  const std::size_t bytes = entry.payload.size() + entry.spec.raw.size();
  append(nodes_, to, &msg::Assign::entries, std::move(entry), bytes);
}

void Outbox::abort(const Provider& to, const AssignmentRef& ref, ErrorCode code) {
  append(nodes_, to, &msg::Abort::entries, msg::Abort::Entry{ref, code}, 0);
}

void Outbox::keep(const Provider& to, const AssignmentRef& ref) {
  append(nodes_, to, &msg::Keep::refs, AssignmentRef(ref), 0);
}

void Outbox::ack_result(const Provider& to, const AssignmentRef& ref, ErrorCode code) {
  append(acks_, to, &msg::ResultAck::entries, msg::ResultAck::Entry{ref, code}, 0);
}

void Outbox::error(const Provider& to, Error error) {
  NodeQueue& queue = nodes_[to.session];
  queue.broker = to.broker;
  queue.messages.push_back(msg::ErrorReply{0, error.code, std::move(error.detail)});
}

void Outbox::reply(const std::string& peer, Message message) {
  Messages& lane = is_promise(message) ? effects_.durable : effects_.at_once;
  lane.to_clients.push_back({peer, std::move(message)});
}

void Outbox::update(const std::string& peer, msg::Update::Entry entry) {
  updates_[peer].push_back(std::move(entry));
}

void Outbox::deliver(const std::string& peer, msg::Deliver::Entry entry) {
  deliveries_[peer].push_back(std::move(entry));
}

void Outbox::to_broker(std::size_t broker, Message message) {
  effects_.at_once.to_brokers.push_back({broker, std::move(message)});
}

void Outbox::bundle(NodeQueues& queues, std::vector<Messages::ToBroker>& out) {
  std::map<std::size_t, msg::ToNodes> bundles;
  std::map<std::size_t, std::size_t> bytes;
  auto close = [&](std::size_t broker) {
    if (!bundles[broker].parcels.empty()) out.push_back({broker, std::move(bundles[broker])});
    bundles[broker] = {};
    bytes[broker] = 0;
  };
  for (auto& [session, queue] : queues) {
    for (const Message& message : queue.messages) {
      Blob frame(encode(message));
      if (bytes[queue.broker] + frame.size() > limits::kBatchTargetBytes ||
          bundles[queue.broker].parcels.size() == limits::kMaxBatchEntries)
        close(queue.broker);
      bytes[queue.broker] += frame.size();
      bundles[queue.broker].parcels.push_back({session, std::move(frame)});
    }
  }
  for (auto& [broker, bundle] : bundles)
    if (!bundle.parcels.empty()) out.push_back({broker, std::move(bundle)});
  queues.clear();
}

Effects Outbox::take() {
  bundle(nodes_, effects_.at_once.to_brokers);
  bundle(acks_, (GENAI_PLANTED(kAckUncommitted) ? effects_.at_once : effects_.durable).to_brokers);
  for (auto& [peer, entries] : updates_)
    cut(
        entries, &msg::Update::entries, [](const auto& e) { return e.text.size(); }, peer,
        effects_.durable.to_clients);
  for (auto& [peer, entries] : deliveries_)
    cut(
        entries, &msg::Deliver::entries, [](const auto& e) { return e.data.size(); }, peer,
        (GENAI_PLANTED(kDeliverUncommitted) ? effects_.at_once : effects_.durable).to_clients);
  updates_.clear();
  deliveries_.clear();
  return std::exchange(effects_, {});
}

}  // namespace genai::dispatcher
