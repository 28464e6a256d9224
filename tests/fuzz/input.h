// The fuzzer's bytes as choices, taken from front to back: events that are cut out or moved stay
// events. Zeros once the bytes are used up.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace genai::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  bool empty() const { return left_ == 0; }
  std::uint8_t byte() {
    if (empty()) return 0;
    --left_;
    return *data_++;
  }
  /// 0 to count - 1; count is at most 256.
  std::size_t below(std::size_t count) { return byte() % count; }
  bool one_in(std::size_t count) { return below(count) == count - 1; }
  std::uint64_t word() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return value;
  }
  /// A length of two bytes, the low one first, and so many bytes as far as there are.
  std::string bytes() {
    std::size_t size = byte();
    size |= static_cast<std::size_t>(byte()) << 8;
    size = std::min(size, left_);
    const std::string text(reinterpret_cast<const char*>(data_), size);
    data_ += size;
    left_ -= size;
    return text;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

}  // namespace genai::fuzz
