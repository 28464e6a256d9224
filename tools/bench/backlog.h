// Tasks that no node can take, queued before a row so that it is measured beside them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tools/bench/connection.h"

namespace genai::bench {

struct Backlog {
  std::uint64_t tasks = 0;
  std::size_t payload_bytes = 256;  // of each
};

struct Queued {
  double seconds = 0;       // from the first SUBMIT to the last ACCEPTED
  std::uint64_t bytes = 0;  // payloads and ids: what the client gave the dispatcher to keep
};

/// In batches as large as a SUBMIT should be; nobody watches the tasks, and they outlive any row.
/// Returns when the dispatcher has accepted all. Throws std::runtime_error when it refuses one.
Queued queue(Connection& connection, const Backlog& backlog);

}  // namespace genai::bench
