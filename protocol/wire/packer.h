// Writes msgpack: each value in the shortest form that holds it.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace genai::wire {

/// Most writes have only a few bytes, so they are gathered. Content that does not fit among them is
/// appended directly.
class StringSink {
 public:
  StringSink() {}  // does not fill the room: that would cost more than most messages
  void write(const char* data, std::size_t size) {
    if (room_.size() - end_ < size) return append(data, size);
    if (size == 0) return;  // `data` of an empty text may be null
    std::memcpy(room_.data() + end_, data, size);
    end_ += size;
  }
  /// Returns the place of the next `size` bytes, for the caller to fill at once; at most 16.
  char* extend(std::size_t size) {
    if (room_.size() - end_ < size) flush();
    return room_.data() + std::exchange(end_, end_ + size);
  }
  std::string take() {
    flush();
    return std::exchange(bytes_, {});
  }

 private:
  static constexpr std::size_t kRoomBytes = 32 << 10;  // a usual batch fits, and is moved once

  void append(const char* data, std::size_t size) {
    flush();
    bytes_.append(data, size);
  }
  void flush() {
    bytes_.append(room_.data(), end_);
    end_ = 0;
  }

  std::string bytes_;
  std::array<char, kRoomBytes> room_;
  std::size_t end_ = 0;
};

/// Not thread-safe. The sink must live longer.
class Packer {
 public:
  explicit Packer(StringSink& sink) : sink_(sink) {}

  void pack_nil() { byte(0xc0); }
  template <std::integral Int>
  void pack(Int value) {
    if constexpr (std::same_as<Int, bool>)
      byte(value ? 0xc3 : 0xc2);
    else if (value >= 0)
      pack_uint(static_cast<std::uint64_t>(value));
    else
      pack_negative(static_cast<std::int64_t>(value));
  }
  /// A whole number is written as an integer.
  void pack(double value) {
    constexpr double kUintEnd = 0x1p64, kLeastInt = -0x1p63;
    const bool is_whole = value == std::trunc(value);
    if (is_whole && value >= 0 && value < kUintEnd)
      pack_uint(static_cast<std::uint64_t>(value));
    else if (is_whole && value < 0 && value >= kLeastInt)
      pack_negative(static_cast<std::int64_t>(value));
    else
      pack_float(value);
  }
  void pack_float(double value) { number(0xcb, std::bit_cast<std::uint64_t>(value)); }
  void pack(std::string_view text) {
    const std::size_t size = text.size();
    if (size < 32)
      byte(0xa0 | size);
    else
      length(0xd9, size);
    sink_.write(text.data(), size);
  }
  void pack(const char* text) { pack(std::string_view(text)); }
  void pack(const std::string& text) { pack(std::string_view(text)); }
  void pack_bin(std::string_view bytes) {
    length(0xc4, bytes.size());
    pack_raw(bytes);
  }
  /// As many values follow.
  void pack_array(std::uint32_t size) { head(0x90, 0xdc, size); }
  /// As many pairs of a key and a value follow.
  void pack_map(std::uint32_t size) { head(0x80, 0xde, size); }
  /// Writes what is msgpack already.
  void pack_raw(std::string_view bytes) { sink_.write(bytes.data(), bytes.size()); }

 private:
  void byte(std::uint64_t value) { *sink_.extend(1) = static_cast<char>(value); }
  /// Big-endian, behind its head.
  template <class Int>
  void number(unsigned head, Int value) {
    char* const at = sink_.extend(1 + sizeof value);
    at[0] = static_cast<char>(head);
    for (std::size_t i = 0; i < sizeof value; ++i)
      at[sizeof value - i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
  }
  void pack_uint(std::uint64_t value) {
    if (value < 128)
      byte(value);
    else if (value <= UINT8_MAX)
      number(0xcc, static_cast<std::uint8_t>(value));
    else if (value <= UINT16_MAX)
      number(0xcd, static_cast<std::uint16_t>(value));
    else if (value <= UINT32_MAX)
      number(0xce, static_cast<std::uint32_t>(value));
    else
      number(0xcf, value);
  }
  void pack_negative(std::int64_t value) {
    if (value >= -32)
      byte(static_cast<std::uint64_t>(value));
    else if (value >= INT8_MIN)
      number(0xd0, static_cast<std::int8_t>(value));
    else if (value >= INT16_MIN)
      number(0xd1, static_cast<std::int16_t>(value));
    else if (value >= INT32_MIN)
      number(0xd2, static_cast<std::int32_t>(value));
    else
      number(0xd3, value);
  }
  /// The length of a str or a bin; `head`: that of the form with 8 bits.
  void length(unsigned head, std::size_t size) {
    if (size <= UINT8_MAX)
      number(head, static_cast<std::uint8_t>(size));
    else if (size <= UINT16_MAX)
      number(head + 1, static_cast<std::uint16_t>(size));
    else
      number(head + 2, static_cast<std::uint32_t>(size));
  }
  void head(unsigned short_head, unsigned head, std::uint32_t size) {
    if (size < 16)
      byte(short_head | size);
    else if (size <= UINT16_MAX)
      number(head, static_cast<std::uint16_t>(size));
    else
      number(head + 1, size);
  }

  StringSink& sink_;
};

}  // namespace genai::wire
