// The number of elements that the array of a struct may have (SPEC.md, "Versions").
#pragma once

#include <algorithm>
#include <cstdint>

#include "protocol/wire/archive.h"

namespace genai::wire {

struct Shape {
  std::uint32_t required = 0;  // an array of fewer elements is malformed
  std::uint32_t first = 0;     // fields of the first release: every writer sends them
  std::uint32_t known = 0;     // a reader skips the elements behind these
};

/// The archive that counts.
class Counter {
 public:
#define GENAI_COUNT(kind)  \
  template <class... Args> \
  void kind(Args&&...) {   \
    ++count_;              \
  }
  GENAI_FIELD_KINDS(GENAI_COUNT)
#undef GENAI_COUNT
  void optional() { required_ = std::min(required_, count_); }
  void appended() {
    optional();
    first_ = count_;
  }
  Shape shape() const { return {std::min(required_, count_), std::min(first_, count_), count_}; }

 private:
  std::uint32_t count_ = 0;
  std::uint32_t required_ = UINT32_MAX, first_ = UINT32_MAX;
};

template <class T>
const Shape& shape_of() {
  static const Shape shape = [] {
    T value;
    Counter counter;
    value.fields(counter);
    return counter.shape();
  }();
  return shape;
}

}  // namespace genai::wire
