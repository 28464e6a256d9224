#include "dispatcher/outbox.h"

#include <algorithm>

#include "dispatcher/tasks/result_info.h"
#include "protocol/base/limits.h"
#include "protocol/base/overloaded.h"
#include "protocol/base/planted.h"

namespace genai::dispatcher {
namespace {

constexpr std::size_t kEntryOverheadBytes = 256;
constexpr std::size_t kUsualEntries = 4;

bool is_promise(const ClientReply& reply) {
  return std::visit(Overloaded{[](const msg::Accepted& accepted) {
                                 return std::ranges::any_of(accepted.verdicts, [](const auto& v) {
                                   return v.code == ErrorCode::kOk;
                                 });
                               },
                               [](const msg::ErrorReply&) { return false; },
                               []<class M>(const M&) {
                                 static_assert(M::kKind.waits != Waits::kIfItPromises);
                                 return M::kKind.waits == Waits::kForCommit;
                               }},
                    reply);
}

}  // namespace

template <class Any>
template <class M, class Entry>
Entry& Outbox::Queue<Any>::add(std::vector<Entry> M::*list, std::size_t bytes) {
  M* last = messages.empty() ? nullptr : std::get_if<M>(&messages.back());
  bytes += kEntryOverheadBytes;
  if (!last || (last->*list).size() == limits::kMaxBatchEntries ||
      last_bytes + bytes > limits::kBatchTargetBytes) {
    last = &std::get<M>(messages.emplace_back(M()));
    (last->*list).reserve(kUsualEntries);
    last_bytes = 0;
  }
  last_bytes += bytes;
  return (last->*list).emplace_back();
}

Outbox::NodeQueue& Outbox::NodeQueues::of(const Session& session) {
  if (session.index >= places_.size()) places_.resize(session.index + 1);
  std::uint32_t& place = places_[session.index];
  if (place >= queues_.size() || queues_[place].session != session.id) {
    place = static_cast<std::uint32_t>(queues_.size());
    queues_.push_back({{}, session.id, session.broker});
  }
  queues_[place].broker = session.broker;  // it may have moved to another within the pass
  return queues_[place];
}

void Outbox::NodeQueues::bundle(std::vector<Messages::ToBroker>& out) {
  struct Bundle {
    msg::ToNodes message;
    std::size_t bytes = 0;
  };
  std::vector<Bundle> bundles;  // by broker
  const auto close = [&](std::size_t broker) {
    if (!bundles[broker].message.parcels.empty())
      out.push_back({broker, std::move(bundles[broker].message)});
    bundles[broker] = {};
  };
  for (const NodeQueue& queue : queues_) {
    if (queue.broker >= bundles.size()) bundles.resize(queue.broker + 1);
    Bundle& bundle = bundles[queue.broker];
    for (const ToNode& message : queue.messages) {
      Blob frame(encode(message));
      if (bundle.bytes + frame.size() > limits::kBatchTargetBytes ||
          bundle.message.parcels.size() == limits::kMaxBatchEntries)
        close(queue.broker);
      bundle.bytes += frame.size();
      bundle.message.parcels.push_back({queue.session, std::move(frame)});
    }
  }
  for (std::size_t broker = 0; broker < bundles.size(); ++broker) close(broker);
  queues_.clear();
}

void Outbox::assign(const Session& to, const TaskRecord& task, const AssignmentRef& ref,
                    Blob payload) {
  msg::Assignment& entry = nodes_.of(to).add(&msg::Assign::entries, task.content_bytes());
  entry.ref = ref;
  entry.spec.raw = task.spec.raw();  // the others are in it
  entry.payload = std::move(payload);
}

void Outbox::abort(const Session& to, const AssignmentRef& ref, ErrorCode code) {
  nodes_.of(to).add(&msg::Abort::entries, 0) = {ref, code};
}

void Outbox::keep(const Session& to, const AssignmentRef& ref) {
  nodes_.of(to).add(&msg::Keep::refs, 0) = ref;
}

void Outbox::ack_result(const Session& to, const AssignmentRef& ref, ErrorCode code) {
  acks_.of(to).add(&msg::ResultAck::entries, 0) = {ref, code};
}

void Outbox::error(const Session& to, Error error) {
  nodes_.of(to).messages.push_back(msg::ErrorReply{0, error.code, std::move(error.detail)});
}

void Outbox::reply(const std::string& peer, ClientReply message) {
  Messages& lane = is_promise(message) ? effects_.durable : effects_.at_once;
  lane.to_clients.push_back({peer, std::move(message)});
}

void Outbox::update(const std::string& peer, msg::Update::Entry&& entry) {
  updates_[peer].add(&msg::Update::entries, entry.text.size()) = std::move(entry);
}

void Outbox::deliver(const std::string& peer, msg::Deliver::Entry&& entry) {
  const std::size_t bytes = entry.data.size() + memory_of(entry.info);
  deliveries_[peer].add(&msg::Deliver::entries, bytes) = std::move(entry);
}

void Outbox::to_broker(std::size_t broker, LinkToBroker message) {
  effects_.at_once.to_brokers.push_back({broker, std::move(message)});
}

void Outbox::move_out(ClientQueues& queues, std::vector<Messages::ToClient>& out) {
  for (auto& [peer, queue] : queues)
    for (ClientReply& message : queue.messages) out.push_back({peer, std::move(message)});
  queues.clear();
}

Effects Outbox::take() {
  nodes_.bundle(effects_.at_once.to_brokers);
  acks_.bundle((GENAI_PLANTED(kAckUncommitted) ? effects_.at_once : effects_.durable).to_brokers);
  move_out(updates_, effects_.durable.to_clients);
  move_out(deliveries_,
           (GENAI_PLANTED(kDeliverUncommitted) ? effects_.at_once : effects_.durable).to_clients);
  return std::exchange(effects_, {});
}

}  // namespace genai::dispatcher
