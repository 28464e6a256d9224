// ZeroMQ sockets. Each of their defaults is set on purpose. One thread uses a socket. Only wait()
// blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "protocol/base/blob.h"
#include "protocol/base/descriptor.h"
#include "protocol/base/errors.h"
#include "protocol/base/limits.h"
#include "protocol/base/time.h"
#include "protocol/transport/keys.h"
#include "protocol/transport/unsent.h"

namespace genai::transport {

/// Owns the I/O threads. Seeds libzmq's routing ids from the kernel before any socket exists:
/// predictable ids let a stranger abort a ROUTER. Block signals before you make a Context.
class Context {
 public:
  explicit Context(int io_threads = 1);
  zmq::context_t& zmq() { return context_; }
  /// Destroy it after the last of its sockets.
  void keep(Descriptor lock) { locks_.push_back(std::move(lock)); }

 private:
  std::vector<Descriptor> locks_;
  zmq::context_t context_;
};

struct SocketLimits {
  std::size_t max_frame_bytes;
  int send_queue_messages;     // per peer; 0: any number
  int receive_queue_messages;  // per peer
  int linger_ms = 0;           // how long a close waits for unsent messages
  std::size_t max_unsent_bytes = limits::kMaxUnsentBytesPerPeer;  // of a ROUTER
};

enum class SendResult {
  kQueued,  // the transport has it: it may still be lost
  kGone,    // the peer has no connection
  kFull,    // the peer does not read: too many messages or bytes wait for it
};

/// The ZAP domain of all our sockets. A request with another domain is refused.
inline constexpr char kZapDomain[] = "genai";

/// A message must be exactly one frame (after the routing id), and its routing id must be one that
/// the ROUTER made: a peer that chooses its id could choose the id of an earlier peer, and get the
/// messages for that one. Other messages are read and dropped.
struct Received {
  std::string peer;  // the routing id at a ROUTER; empty at a DEALER. Never log it.
  Blob frame;
  bool well_formed = true;  // false: it was such a message, and `frame` is empty
  std::string key = {};     // the peer's public key, if the ROUTER is encrypted
};

class Socket {
 public:
  Socket(Socket&&) = default;
  Socket& operator=(Socket&&) = default;

  /// Returns the next message, or nothing if none waits.
  std::optional<Received> receive();
  zmq::socket_ref ref() { return socket_; }

 protected:
  Socket(Context& context, zmq::socket_type type, const SocketLimits& limits);
  zmq::socket_t socket_;
  bool asks_for_keys_ = false;

 private:
  bool is_router_;
};

class Router : public Socket {
 public:
  /// With `own` every connection is encrypted, and an Authenticator decides which peers get one.
  /// Make the Authenticator before the bind.
  Router(Context& context, const SocketLimits& limits, const std::optional<KeyPair>& own = {});
  /// Returns the bound endpoint, with the real port in the place of "*". Returns kMalformed with
  /// the reason if it cannot bind: because another process listens there, also at an ipc path.
  Expected<std::string> bind(const std::string& endpoint);
  SendResult send(std::string_view peer, std::string frame);
  bool asks_for_keys() const { return asks_for_keys_; }
  /// Returns how many bytes, for all peers, the transport has and has not written yet.
  std::size_t unsent_bytes() const { return unsent_.bytes(); }

 private:
  Context* context_;
  Unsent unsent_;
};

class Dealer : public Socket {
 public:
  /// Connects at once, and reconnects by itself. Frames are queued only while it is connected. With
  /// `curve` it connects only to a server with the server key in there.
  Dealer(Context& context, const SocketLimits& limits, const std::string& endpoint,
         const std::optional<CurveClient>& curve = {});
  /// kFull also means: not connected.
  SendResult send(std::string frame);
  /// The same. A frame that was not queued stays with the caller.
  SendResult send(zmq::message_t& frame);
};

/// Replaces `dealer` by the socket that `make` returns. Returns false if the process has no
/// descriptor left for it: then the old socket stays, and goes on reconnecting by itself.
bool renew(Dealer& dealer, const std::function<Dealer()>& make);

/// The set that a loop waits for: sockets, then plain descriptors.
class PollSet {
 public:
  void add(Socket& socket) { items_.push_back({socket.ref().handle(), 0, ZMQ_POLLIN, 0}); }
  void add_fd(int fd) { items_.push_back({nullptr, fd, ZMQ_POLLIN, 0}); }
  void clear() { items_.clear(); }
  /// Returns when an item is readable or `timeout` has passed (rounded up to a millisecond; kNever:
  /// no timeout). Then readable(i) says whether the item that was added as the i-th is readable.
  void wait(Duration timeout);
  bool readable(std::size_t index) const { return items_[index].revents & ZMQ_POLLIN; }

 private:
  std::vector<zmq::pollitem_t> items_;
};

}  // namespace genai::transport
