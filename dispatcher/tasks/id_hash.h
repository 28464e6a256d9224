// The hash of a text id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace genai::dispatcher {

/// Takes eight bytes at a time, and multiplies them to twice as many bits, which are folded: less
/// than half of what std::hash costs, and each message asks for the ids of its tasks.
inline std::size_t id_hash(std::string_view id) {
  __extension__ using Wide = unsigned __int128;
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  std::uint64_t hash = id.size();
  const auto mix = [&](const char* from, std::size_t bytes) {
    std::uint64_t part = 0;
    std::memcpy(&part, from, bytes);
    const auto product = static_cast<Wide>(hash ^ part) * kOdd;
    hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  const char* at = id.data();
  std::size_t left = id.size();
  for (; left >= sizeof(hash); at += sizeof(hash), left -= sizeof(hash)) mix(at, sizeof(hash));
  // The last eight once more, if there are as many: a copy of a known size is one instruction.
  if (left != 0 && id.size() >= sizeof(hash))
    mix(id.data() + id.size() - sizeof(hash), sizeof(hash));
  else if (left != 0)
    mix(at, left);
  return hash;
}

}  // namespace genai::dispatcher
