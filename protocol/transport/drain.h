// Reads one socket for a limited turn, so that no other socket waits for long.
#pragma once

#include <cstddef>

#include "protocol/transport/system.h"

namespace genai::transport {

/// The turn ends at the first of these limits.
struct Turn {
  std::size_t messages;
  std::size_t bytes;  // messages that were read wait in memory until they are handled
  Duration time;      // to read and to handle
};

/// Calls `handle(const Received&)` with the messages that wait at `from` (a Router or Dealer), at
/// least with one. Returns true if messages may be left.
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
