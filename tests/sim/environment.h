// What all parts of one simulated world share.
#pragma once

#include <cstdint>
#include <vector>

#include "coverage.h"
#include "failure.h"
#include "fault.h"
#include "rng.h"
#include "scheduler.h"
#include "trace.h"

namespace genai::sim {

class Host;
class Network;
class Oracle;
using HostId = std::size_t;

struct Environment {
  Environment(std::uint64_t seed, Trace::Mode mode) : rng(seed), faults(rng), trace(mode) {}

  Rng rng;
  Faults faults;
  Trace trace;
  Coverage coverage;
  Scheduler scheduler;
  Network* network = nullptr;
  Oracle* oracle = nullptr;
  std::vector<Host*> hosts;     // by HostId
  std::uint64_t ids_given = 0;  // sessions, instances
  std::uint64_t frames = 0;     // delivered

  template <class... Args>
  void note(fmt::format_string<Args...> text, Args&&... args) {
    trace.line(scheduler.now(), text, std::forward<Args>(args)...);
  }
  /// A session or instance id that was not there before.
  template <class Id>
  Id fresh_id() {
    typename Id::Bytes bytes{};
    std::uint64_t number = ++ids_given;
    for (std::size_t i = 0; i < 8; ++i, number >>= 8) bytes[i] = static_cast<std::uint8_t>(number);
    bytes[15] = 1;
    return Id(bytes);
  }
};

inline constexpr Duration kLease = from_ms(5000);

}  // namespace genai::sim
