// The ZAP handler (ZeroMQ RFC 27) of one context. It decides which keys may connect.
#pragma once

#include <memory>
#include <mutex>
#include <thread>

#include "protocol/security/key_ring.h"
#include "protocol/transport/socket.h"

namespace genai::transport {

/// Every server socket with a key asks it about each connection. Make it before any socket is
/// bound: without a handler libzmq accepts every peer. It answers on a thread of its own.
/// Received::key has the key of an accepted peer. The rights of the key are looked up for each
/// frame, so that a revoked key has no rights from that moment on.
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
