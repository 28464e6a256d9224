// The description that a node gives of itself (PublicMetaInfo). It is sent as an open map.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace genai {

struct PublicMetaInfo {
  std::vector<std::string> models;         // that it can run: they are on its disk
  std::vector<std::string> loaded_models;  // that are in its memory now
  std::string gpu_type;                    // empty: no GPU
  std::uint64_t ncpu = 0;
  std::uint64_t ram_mib = 0;
  std::uint64_t vram_mib = 0;
  std::uint32_t slots = 1;  // tasks that it runs at once, 1..kMaxSlots
  double min_cost = 0;      // its price for a task, in the unit of max_cost; 0: free

  friend bool operator==(const PublicMetaInfo&, const PublicMetaInfo&) = default;
};

}  // namespace genai
