// ZeroMQ sockets with every default set on purpose. One thread uses a socket; nothing here blocks
// but wait().
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
/// predictable ids let a stranger abort a ROUTER. Block signals before making one.
class Context {
 public:
  explicit Context(int io_threads = 1);
  zmq::context_t& zmq() { return context_; }
  /// Closes it after the last of its sockets.
  void keep(Descriptor lock) { locks_.push_back(std::move(lock)); }

 private:
  std::vector<Descriptor> locks_;
  zmq::context_t context_;
};

struct SocketLimits {
  std::size_t max_frame_bytes;
  int send_queue_messages;     // per peer; 0: any number
  int receive_queue_messages;  // per peer
  int linger_ms = 0;           // how long closing waits for unsent messages
  std::size_t max_unsent_bytes = limits::kMaxUnsentBytesPerPeer;  // a ROUTER's
};

enum class SendResult {
  kQueued,  // handed to the transport: says nothing about arrival
  kGone,    // the peer has no connection
  kFull,    // the peer does not read: too many messages or bytes wait for it
};

/// The ZAP domain of all our sockets: whoever asks in another name is refused.
inline constexpr char kZapDomain[] = "genai";

/// A message must be exactly one frame (after the routing id), from a connection that a ROUTER has
/// named itself: a name that its peer chose could be that of another peer before it, and get what
/// is meant for that one. Others are read off and dropped.
struct Received {
  std::string peer;  // a ROUTER's routing id; empty on a DEALER. Never log it.
  Blob frame;
  bool well_formed = true;  // false: it was one of those; `frame` is empty
  std::string key = {};     // at an encrypted ROUTER: the peer's public key
};

class Socket {
 public:
  Socket(Socket&&) = default;
  Socket& operator=(Socket&&) = default;

  /// The next message, or nothing when none waits.
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
  /// With `own` every connection is encrypted, and an Authenticator, made before the bind, says who
  /// gets one.
  Router(Context& context, const SocketLimits& limits, const std::optional<KeyPair>& own = {});
  /// The endpoint as bound (a port "*" is filled in). kMalformed with the reason when it cannot be:
  /// where another process listens, also at an ipc path.
  Expected<std::string> bind(const std::string& endpoint);
  SendResult send(std::string_view peer, std::string frame);
  bool asks_for_keys() const { return asks_for_keys_; }
  /// Handed to the transport and not written yet, for all peers.
  std::size_t unsent_bytes() const { return unsent_.bytes(); }

 private:
  Context* context_;
  Unsent unsent_;
};

class Dealer : public Socket {
 public:
  /// Connects at once and reconnects by itself; frames are queued only while connected. With
  /// `curve` only to a server that has the key it names.
  Dealer(Context& context, const SocketLimits& limits, const std::string& endpoint,
         const std::optional<CurveClient>& curve = {});
  /// kFull also stands for "not connected".
  SendResult send(std::string frame);
  /// The same; a frame that was not taken stays with the caller.
  SendResult send(zmq::message_t& frame);
};

/// Puts what `make` returns in the place of `dealer`. False when the process has no descriptor left
/// for it: then the old one stays, and goes on reconnecting by itself.
bool renew(Dealer& dealer, const std::function<Dealer()>& make);

/// What a loop waits for: sockets, then plain descriptors.
class PollSet {
 public:
  void add(Socket& socket) { items_.push_back({socket.ref().handle(), 0, ZMQ_POLLIN, 0}); }
  void add_fd(int fd) { items_.push_back({nullptr, fd, ZMQ_POLLIN, 0}); }
  void clear() { items_.clear(); }
  /// Returns when something is readable or `timeout` has passed (rounded up to a millisecond;
  /// kNever waits on). True for the index-th added item when it is readable.
  void wait(Duration timeout);
  bool readable(std::size_t index) const { return items_[index].revents & ZMQ_POLLIN; }

 private:
  std::vector<zmq::pollitem_t> items_;
};

}  // namespace genai::transport
