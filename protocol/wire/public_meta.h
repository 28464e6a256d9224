// What a node says of itself (PublicMetaInfo). On the wire an open map.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace genai {

struct PublicMetaInfo {
  std::vector<std::string> models;         // on its disk: what it can run
  std::vector<std::string> loaded_models;  // in its memory now
  std::string gpu_type;                    // empty: none
  std::uint64_t ncpu = 0;
  std::uint64_t ram_mib = 0;
  std::uint64_t vram_mib = 0;
  std::uint32_t slots = 1;  // tasks it runs at once, 1..kMaxSlots
  double min_cost = 0;      // what it asks for a task, in whatever unit tasks use; 0: free

  friend bool operator==(const PublicMetaInfo&, const PublicMetaInfo&) = default;
};

}  // namespace genai
