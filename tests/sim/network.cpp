#include "network.h"

#include <algorithm>

#include "host.h"

namespace genai::sim {

ConnectionId Network::connect(HostId client, HostId server, Port port, std::size_t line,
                              std::shared_ptr<const Identity> who) {
  if (!env_.hosts[server]->is_up()) return 0;
  const ConnectionId id = ++last_;
  connections_.emplace(id, Connection{client, server, port, line, std::move(who)});
  by_peer_.emplace(peer_name(id), id);
  return id;
}

void Network::close(ConnectionId id) {
  auto it = connections_.find(id);
  if (it == connections_.end()) return;
  it->second.client_open = false;
  notice_close(id, true);
}

void Network::close_all(HostId host) {
  std::vector<std::pair<ConnectionId, bool>> left;
  for (auto& [id, connection] : connections_) {
    if (connection.client == host && connection.client_open) {
      connection.client_open = false;
      left.emplace_back(id, true);
    }
    if (connection.server == host && connection.server_open) {
      connection.server_open = false;
      left.emplace_back(id, false);
    }
  }
  for (const auto& [id, by_server] : left) notice_close(id, by_server);
}

/// Mostly at once; when the machine is gone, or a firewall forgot, much later.
void Network::notice_close(ConnectionId id, bool by_server) {
  const Duration wait = env_.rng.one_in(8) ? env_.rng.ms(0, 30'000) : env_.rng.ms(0, 5);
  env_.scheduler.in(wait, [this, id, by_server] {
    auto it = connections_.find(id);
    if (it == connections_.end()) return;
    (by_server ? it->second.server_open : it->second.client_open) = false;
    if (it->second.server_open || it->second.client_open) return;
    by_peer_.erase(peer_name(id));
    connections_.erase(it);
  });
}

Sent Network::send_to_server(ConnectionId id, std::string frame) {
  auto it = connections_.find(id);
  if (it == connections_.end() || !it->second.client_open) return Sent::kGone;
  return send(id, it->second, true, std::move(frame));
}

Sent Network::send_to_client(HostId server, const std::string& peer, std::string frame) {
  auto found = by_peer_.find(peer);
  if (found == by_peer_.end()) return Sent::kGone;
  Connection& connection = connections_.at(found->second);
  if (connection.server != server || !connection.server_open) return Sent::kGone;
  return send(found->second, connection, false, std::move(frame));
}

Sent Network::send(ConnectionId id, Connection& connection, bool to_server, std::string frame) {
  if (connection.waiting[to_server] >= kHighWater) return Sent::kFull;
  if (overheard_.size() == 64) overheard_.pop_front();
  overheard_.push_back(frame);
  Rng& rng = env_.rng;
  Faults& faults = env_.faults;
  if (faults.strikes(Fault::kLoss, rng, 3)) return Sent::kQueued;
  Duration arrives = env_.scheduler.now() + rng.between(Duration(50), Duration(2'000));
  const auto from_to = to_server ? std::pair(connection.client, connection.server)
                                 : std::pair(connection.server, connection.client);
  if (auto it = blocks_.find(from_to); it != blocks_.end()) {
    if (it->second.until <= env_.scheduler.now())
      blocks_.erase(it);
    else if (it->second.lose)
      return Sent::kQueued;
    else
      arrives = std::max(arrives, it->second.until);
  }
  if (faults.strikes(Fault::kDuplicate, rng, 3))
    plan(id, to_server, frame, arrives + (rng.one_in(4) ? rng.ms(0, 20'000) : rng.ms(0, 20)));
  if (faults.strikes(Fault::kReorder, rng, 5)) {
    plan(id, to_server, std::move(frame), arrives + rng.ms(0, rng.one_in(4) ? 3'000 : 30));
    return Sent::kQueued;
  }
  if (faults.strikes(Fault::kDelay, rng, rng.one_in(4) ? 4 : 0))
    arrives += rng.between(Duration(0), rng.one_in(3) ? 10 * kLease : kLease);
  Duration& last = connection.last_arrival[to_server];
  last = std::max(last, arrives);
  plan(id, to_server, std::move(frame), last);
  return Sent::kQueued;
}

void Network::plan(ConnectionId id, bool to_server, std::string frame, Duration arrives) {
  ++connections_.at(id).waiting[to_server];
  env_.scheduler.at(arrives, [this, id, to_server, frame = std::move(frame)]() mutable {
    deliver(id, to_server, std::move(frame));
  });
}

void Network::deliver(ConnectionId id, bool to_server, std::string frame) {
  auto it = connections_.find(id);
  if (it == connections_.end()) return;
  Connection& connection = it->second;
  if (!(to_server ? connection.server_open : connection.client_open)) return;
  ++env_.frames;
  Host& host = *env_.hosts[to_server ? connection.server : connection.client];
  host.arrive({id, to_server ? connection.port : Port::kOutgoing, peer_name(id), connection.line,
               Blob(std::move(frame)), connection.who});
}

void Network::was_read(const Arrival& arrival) {
  if (auto it = connections_.find(arrival.connection); it != connections_.end())
    --it->second.waiting[arrival.port != Port::kOutgoing];
}

void Network::reset_one() {
  if (connections_.empty()) return;
  auto it = std::next(connections_.begin(),
                      static_cast<std::ptrdiff_t>(env_.rng.below(connections_.size())));
  env_.note("the connection of {} to {} breaks", env_.hosts[it->second.client]->name(),
            env_.hosts[it->second.server]->name());
  it->second.client_open = false;
  notice_close(it->first, true);
}

void Network::block(HostId from, HostId to, Duration until, bool lose) {
  blocks_[{from, to}] = {until, lose};
}

Sent Line::send(HostId server, std::string frame) {
  Network& network = *env_.network;
  if (connection_ != 0) {
    const Sent sent = network.send_to_server(connection_, frame);
    if (sent != Sent::kGone) return sent;
  }
  connection_ = network.connect(self_, server, port_, number_, who_);
  return connection_ == 0 ? Sent::kFull : network.send_to_server(connection_, std::move(frame));
}

void Line::reopen() {
  if (connection_ != 0) env_.network->close(connection_);
  connection_ = 0;
}

}  // namespace genai::sim
