// Counts allocations: the program that links this has an operator new of its own.
#pragma once

#include <cstdint>

namespace genai::micro {

/// Counts what this thread allocates in its scope. Not nested.
class Counting {
 public:
  explicit Counting(std::uint64_t& at);
  ~Counting();
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
};

}  // namespace genai::micro
