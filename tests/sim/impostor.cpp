#include "impostor.h"

#include "oracle.h"
#include "protocol/wire/messages.h"

namespace genai::sim {
namespace {

Identity bad_node() {
  return {
      .kind = Identity::Kind::kNode, .key = "key of mallory", .node = *NodeId::parse("mallory")};
}

Identity bad_client() {
  return {.kind = Identity::Kind::kClient,
          .key = "another key of mallory",
          .tenant = "mallory",
          .may_submit = true,
          .may_watch = true};
}

}  // namespace

Impostor::Impostor(Environment& env, std::vector<HostId> brokers,
                   std::function<HostId()> dispatcher, std::vector<std::string> node_ids)
    : Host(env, "mallory"),
      brokers_(std::move(brokers)),
      dispatcher_(std::move(dispatcher)),
      node_ids_(std::move(node_ids)),
      client_line_(env, id(), 0, Port::kClients, bad_client()),
      stranger_line_(env, id(), 0, Port::kClients, Identity::nobody()) {
  for (std::size_t i = 0; i < brokers_.size(); ++i) {
    node_lines_.emplace_back(env, id(), 0, Port::kNodes, bad_node());
    link_lines_.emplace_back(env, id(), 0, Port::kLink, Identity::nobody());
  }
}

void Impostor::attack() {
  env_.faults.count(Fault::kImpostor);
  const std::size_t broker = env_.rng.below(brokers_.size());
  switch (env_.rng.below(4)) {
    case 0:
      node_lines_[broker].send(brokers_[broker], to_broker());
      return;
    case 1:
      link_lines_[broker].send(brokers_[broker], to_link());
      return;
    case 2:
      client_line_.send(dispatcher_(), to_dispatcher());
      return;
    default:
      stranger_line_.send(dispatcher_(), to_dispatcher());
  }
}

std::string Impostor::garbage() {
  std::string bytes(env_.rng.below(40), '\0');
  for (char& c : bytes) c = static_cast<char>(env_.rng.below(256));
  return bytes;
}

std::string Impostor::mutated(std::string frame) {
  if (frame.empty()) return frame;
  for (std::uint64_t i = env_.rng.below(3); i > 0; --i)
    frame[env_.rng.below(frame.size())] = static_cast<char>(env_.rng.below(256));
  if (env_.rng.one_in(6)) frame.resize(env_.rng.below(frame.size()));
  return frame;
}

/// A frame that somebody else sent, more or less.
std::string Impostor::overheard() {
  const auto& frames = env_.network->overheard();
  return frames.empty() ? garbage() : mutated(env_.rng.pick(frames));
}

SessionId Impostor::some_session() {
  const auto& issued = env_.oracle->issued();
  if (issued.empty()) return env_.fresh_id<SessionId>();
  return std::next(issued.begin(), static_cast<std::ptrdiff_t>(env_.rng.below(issued.size())))
      ->second;
}

std::string Impostor::to_broker() {
  switch (env_.rng.below(4)) {
    case 0:
      return garbage();
    case 1:  // under the id of somebody else
      return encode(
          msg::Hello{*NodeId::parse(env_.rng.pick(node_ids_)), env_.fresh_id<SessionId>(), {}, {}});
    case 2:  // under the session of somebody else, were it ever to get hold of one
      return encode(msg::Hello{*NodeId::parse("mallory"), some_session(), {}, {}});
    default:
      return overheard();
  }
}

std::string Impostor::to_link() {
  switch (env_.rng.below(4)) {
    case 0:
      return garbage();
    case 1:
      return encode(msg::LinkHello{env_.fresh_id<InstanceId>(), 1'000'000});
    case 2: {
      const auto& issued = env_.oracle->issued();
      if (issued.empty()) return garbage();
      const auto& [ref, session] = *issued.rbegin();
      return encode(
          msg::ToNodes{{{session, Blob(encode(msg::Abort{{{ref, ErrorCode::kCancelled}}}))}}});
    }
    default:
      return overheard();
  }
}

std::string Impostor::to_dispatcher() {
  const auto& issued = env_.oracle->issued();
  std::vector<TaskId> ids;
  // An id that was purged is free for anybody: taking it is no attack.
  for (const auto& [ref, session] : issued)
    if (!env_.oracle->may_vanish(ref.task_id)) ids.push_back(ref.task_id);
  const TaskId id = ids.empty() ? *TaskId::parse("nothing") : env_.rng.pick(ids);
  switch (env_.rng.below(8)) {
    case 0:
      return garbage();
    case 1:
      return encode(msg::Cancel{1, {id}});
    case 2:
      return encode(msg::DeliverAck{{id}});
    case 3:
      return encode(msg::Watch{1, msg::WatchLevel::kProgress, {id}});
    case 4:
      return encode(msg::Purge{1, {id}});
    case 5:
      return encode(msg::Drain{1, "", true});
    case 6:
      return encode(msg::Submit{1,
                                msg::WatchLevel::kResult,
                                {{id, make_spec({}, {}), Blob("another prompt for " + id.str())}}});
    default: {
      // To take the id of a task before its own client can is no attack on what was accepted.
      const std::string frame = overheard();
      const auto message = decode(Blob(frame), Direction::kFromClient);
      return message && std::holds_alternative<msg::Submit>(*message) ? garbage() : frame;
    }
  }
}

}  // namespace genai::sim
