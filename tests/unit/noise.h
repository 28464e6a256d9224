// Bytes that do not repeat, and so cannot pass for others.
#pragma once

#include <cstddef>
#include <random>
#include <string>

namespace genai::test {

inline std::string noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

}  // namespace genai::test
