// A turn of reading one socket, so that no other waits for long.
#pragma once

#include <cstddef>

#include "protocol/transport/system.h"

namespace genai::transport {

/// Whichever comes first.
struct Turn {
  std::size_t messages;
  std::size_t bytes;  // what is drained waits in memory until it is handled
  Duration time;      // however long it takes to handle
};

/// Hands what has come at `from` (a Router or Dealer) to `handle(const Received&)`; at least one
/// message. True when messages may be left.
template <class From, class Handle>
bool drain(From& from, const Turn& turn, Handle handle) {
  const Duration until = read_clock().mono + turn.time;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < turn.messages && bytes < turn.bytes; ++i) {
    if (i > 0 && read_clock().mono >= until) return true;
    const auto received = from.receive();
    if (!received) return false;
    bytes += received->frame.size();
    handle(*received);
  }
  return true;
}

}  // namespace genai::transport
