// The limits of the desk: how much clients may leave with the dispatcher, and are sent at once.
#pragma once

#include <cstddef>

#include "protocol/base/time.h"

namespace genai::dispatcher {

/// Set by options.
struct DeskLimits {
  std::size_t max_tasks = 1'000'000;                    // not terminal
  std::size_t max_queued_bytes = std::size_t{4} << 30;  // of their payloads and specs
  Duration resend = from_ms(5000);                      // DELIVER without DELIVER_ACK
};

// A client that does not acknowledge is sent no more than this; the rest waits here.
inline constexpr std::size_t kWindowResults = 1024;                 // limit
inline constexpr std::size_t kWindowBytes = std::size_t{64} << 20;  // limit

// Connections that may follow one task. The oldest goes first: it is most likely a connection that
// its client has long replaced.
inline constexpr std::size_t kMaxWatchers = 16;

// FETCHes that wait for the disk: in all, and of one connection.
inline constexpr std::size_t kMaxFetches = 1024;     // limit
inline constexpr std::size_t kMaxFetchesOfOne = 16;  // limit

// LISTs that are being answered: in all, since each costs a frame of memory, and of one key, over
// however many connections.
inline constexpr std::size_t kMaxListings = 64;
inline constexpr std::size_t kMaxListingsOfOne = 8;
// Of all names of models in one NODE_LIST; beyond it they are left out.
inline constexpr std::size_t kMaxModelBytes = std::size_t{8} << 20;

}  // namespace genai::dispatcher
