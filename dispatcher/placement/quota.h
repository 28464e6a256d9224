// What a tenant may have, as an option says it.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace genai::dispatcher {

/// What one tenant may have at once; 0: no limit of its own.
struct Quota {
  double weight = 1;  // its share of the fleet's time against that of others; above 0
  std::uint64_t max_queued = 0;
  std::uint64_t max_running = 0;
  std::uint64_t max_bytes = 0;  // of specs and payloads that are not terminal

  friend bool operator==(const Quota&, const Quota&) = default;
};

/// "NAME:weight=3:queued=1000:running=20:mib=512": every part after the name may be absent. A name
/// with a colon in it has no quota of its own. The error says what is wrong.
tl::expected<std::pair<std::string, Quota>, std::string> parse_quota(const std::string& text);

}  // namespace genai::dispatcher
