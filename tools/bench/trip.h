// One measurement: tasks from clients to nodes and back, through the daemons or the reference.
#pragma once

#include <cstdint>
#include <string>

#include "tools/bench/daemons.h"
#include "tools/bench/interrupt.h"
#include "tools/bench/trip_row.h"

namespace genai::bench {

struct Trip {
  std::string store = "memory";
  std::string data_dir;       // a folder is made below it and removed; empty: the temporary files'
  Endpoints running;          // these instead of daemons of our own, unless empty
  std::size_t window = 1000;  // tasks open at once
  std::uint64_t tasks = 1'000'000;  // at most
  double seconds = 5;
  std::size_t clients = 1;    // that share the window, the tasks and a connection each
  std::size_t batch = 32;     // tasks in a SUBMIT, at most
  unsigned workers = 8;       // connections
  std::uint32_t slots = 512;  // of each
  std::size_t payload_bytes = 256, result_bytes = 256;
  std::uint64_t rate = 0;   // tasks due per second, whatever is open; 0: the window says when
  std::uint64_t depth = 0;  // tasks that no node can take, queued before; own daemons only
};

/// Starts a fresh pair of daemons beside this program. Throws std::runtime_error (Interrupted among
/// them).
TripRow measure_trip(const Trip& trip, const Interrupt& interrupt);

/// The same through the reference, with `trip.batch` tasks in each message.
TripRow measure_raw(const Trip& trip, const Interrupt& interrupt);

}  // namespace genai::bench
