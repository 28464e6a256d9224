// Any number of connections to one endpoint on one socket: each is a peer of its own to those who
// listen there, and costs this side a descriptor and no more.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "protocol/base/blob.h"

namespace genai::bench {

/// One thread uses it.
class Hub {
 public:
  Hub(const std::string& endpoint, std::size_t connections);

  struct Arrival {
    std::size_t connection;
    Blob frame;
  };
  /// The next message, or nothing when none waits.
  std::optional<Arrival> receive();
  /// Lost when its connection takes no more, as a network loses it.
  void send(std::size_t connection, std::string frame);
  /// Returns when something can be received, or after the timeout.
  void wait(std::chrono::milliseconds timeout);

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
};

}  // namespace genai::bench
