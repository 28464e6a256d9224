// Which store, and where.
#pragma once

#include <cstdint>
#include <string>

namespace genai::dispatcher::store {

struct Options {
  std::string kind = "sqlite";  // one of kinds()
  std::string data_dir;
  std::uint64_t reserve_bytes = 64u << 20;
  std::uint64_t min_free_bytes = 256u << 20;
};

}  // namespace genai::dispatcher::store
