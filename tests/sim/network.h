// The network between the processes: connections that keep their order, until a fault says
// otherwise. Whoever sends learns nothing but what ZeroMQ would tell.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "environment.h"
#include "protocol/base/blob.h"
#include "protocol/base/identity.h"

namespace genai::sim {

enum class Port : std::uint8_t { kNodes, kLink, kClients, kOutgoing };

using ConnectionId = std::uint64_t;  // 0: none

/// A frame at the process it was for. `peer` names the connection to a server; `line` is the
/// number a client gave it.
struct Arrival {
  ConnectionId connection;
  Port port;
  std::string peer;
  std::size_t line;
  Blob frame;
  std::shared_ptr<const Identity> who;
};

enum class Sent : std::uint8_t { kQueued, kGone, kFull };

class Network {
 public:
  static constexpr std::size_t kHighWater = 500;  // frames per connection and direction

  explicit Network(Environment& env) : env_(env) {}

  /// 0 when nobody listens there.
  ConnectionId connect(HostId client, HostId server, Port port, std::size_t line,
                       std::shared_ptr<const Identity> who);
  /// The client ends it; the server may take long to notice.
  void close(ConnectionId connection);
  /// The process ended: so do its connections. Others may take long to notice.
  void close_all(HostId host);

  Sent send_to_server(ConnectionId connection, std::string frame);
  Sent send_to_client(HostId server, const std::string& peer, std::string frame);
  /// The receiver has read it: it takes no room any more.
  void was_read(const Arrival& arrival);

  /// Nothing gets from `from` to `to` until then; what is sent meanwhile is lost, or comes late.
  void block(HostId from, HostId to, Duration until, bool lose);
  void heal() { blocks_.clear(); }
  /// One connection breaks, and what is on its way with it.
  void reset_one();

  /// Of the latest frames, whatever they were: for those who replay them.
  const std::deque<std::string>& overheard() const { return overheard_; }

 private:
  struct Connection {
    HostId client, server;
    Port port;
    std::size_t line;
    std::shared_ptr<const Identity> who;
    bool client_open = true, server_open = true;
    // Towards the server, and back:
    std::array<Duration, 2> last_arrival{};
    std::array<std::size_t, 2> waiting{};
  };
  struct Block {
    Duration until;
    bool lose;
  };
  Sent send(ConnectionId id, Connection& connection, bool to_server, std::string frame);
  void plan(ConnectionId id, bool to_server, std::string frame, Duration arrives);
  void deliver(ConnectionId id, bool to_server, std::string frame);
  void notice_close(ConnectionId id, bool by_server);
  static std::string peer_name(ConnectionId id) { return "peer-" + std::to_string(id); }

  Environment& env_;
  ConnectionId last_ = 0;
  std::map<ConnectionId, Connection> connections_;
  std::map<std::string, ConnectionId> by_peer_;
  std::map<std::pair<HostId, HostId>, Block> blocks_;
  std::deque<std::string> overheard_;
};

/// The client's end: connects when there is something to say, as often as it takes.
class Line {
 public:
  Line(Environment& env, HostId self, std::size_t number, Port port, Identity who)
      : env_(env),
        self_(self),
        number_(number),
        port_(port),
        who_(std::make_shared<const Identity>(std::move(who))) {}

  Sent send(HostId server, std::string frame);
  void reopen();
  ConnectionId connection() const { return connection_; }

 private:
  Environment& env_;
  HostId self_;
  std::size_t number_;
  Port port_;
  std::shared_ptr<const Identity> who_;
  ConnectionId connection_ = 0;
};

}  // namespace genai::sim
