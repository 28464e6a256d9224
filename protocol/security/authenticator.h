// Decides which keys may connect: the ZAP handler (ZeroMQ RFC 27) of one context.
#pragma once

#include <memory>
#include <mutex>
#include <thread>

#include "protocol/security/key_ring.h"
#include "protocol/transport/socket.h"

namespace genai::transport {

/// Every server socket with a key asks it about each connection, so make it before any of them is
/// bound: without a handler libzmq lets everybody in. It answers on a thread of its own. A key that
/// is let in is known by Received::key; what it stands for is looked up with each frame, so that
/// one that was revoked has no say from then on.
class Authenticator {
 public:
  Authenticator(Context& context, KeyRing ring);
  ~Authenticator();
  Authenticator(const Authenticator&) = delete;

  /// Thread-safe.
  std::shared_ptr<const KeyRing> ring() const;
  void replace(KeyRing ring);

 private:
  void serve(zmq::socket_t handler, zmq::socket_t control);

  mutable std::mutex mutex_;
  std::shared_ptr<const KeyRing> ring_;
  zmq::socket_t control_;
  std::thread thread_;
};

}  // namespace genai::transport
