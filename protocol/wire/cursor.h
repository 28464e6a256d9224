// Reads msgpack in place, one value after the other, and builds nothing. Source: the msgpack
// specification, "Formats" (github.com/msgpack/msgpack/blob/master/spec.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/base/errors.h"

namespace genai::wire {

enum class Kind : std::uint8_t {
  kNil,
  kBool,
  kUint,
  kNegative,
  kFloat,
  kStr,
  kBin,
  kArray,
  kMap,
  kExt
};

/// A value. Of an array or a map it is only the head.
struct Token {
  Token() = default;
  explicit Token(Kind k, bool is_canonical = true) : kind(k), canonical(is_canonical) {}

  Kind kind = Kind::kNil;
  bool canonical = true;       // in the shortest form of its kind; a float has 8 bytes
  std::uint32_t size = 0;      // bytes of a str, bin or ext; elements; pairs of a map
  const char* data = nullptr;  // of a str, bin or ext
  union {
    std::uint64_t uint = 0;  // a bool is 0 or 1
    std::int64_t negative;
    double real;
  };

  std::string_view view() const { return {data, size}; }
  /// Returns how many values follow as its content.
  std::uint64_t content() const {
    if (kind == Kind::kArray) return size;
    return kind == Kind::kMap ? std::uint64_t{size} * 2 : 0;
  }
};

/// Points into bytes, which must live longer. A copy of it remembers a place.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  /// Returns the next value, or nothing if the bytes end too early or are not msgpack.
  std::optional<Token> next() {
    if (at_ == end_) return std::nullopt;
    const auto head = static_cast<unsigned char>(*at_);
    if (head >= 0xc0) return next_long();
    ++at_;
    if (head >= 0xa0) return text(Kind::kStr, head & 0x1fu, true);
    Token token(head < 0x80 ? Kind::kUint : head < 0x90 ? Kind::kMap : Kind::kArray);
    if (head < 0x80)
      token.uint = head;
    else
      token.size = head & 0x0fu;
    return token;
  }
  /// Skips one whole value. The bytes must be well-formed.
  void skip();
  const char* position() const { return at_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

 private:
  template <class Int>
  bool take(Int& out);
  std::optional<Token> text(Kind kind, std::size_t size, bool canonical) {
    if (left() < size) return std::nullopt;
    Token token(kind, canonical);
    token.size = static_cast<std::uint32_t>(size);
    token.data = at_;
    at_ += size;
    return token;
  }
  std::optional<Token> next_long();  // its head is 0xc0 or above
  template <class Size>
  std::optional<Token> sized(Kind kind, std::uint64_t least);
  template <class Unsigned>
  std::optional<Token> unsigned_number(std::uint64_t least);
  template <class Signed>
  std::optional<Token> signed_number(std::int64_t above);
  std::optional<Token> float_number(bool wide);
  std::optional<Token> extension(std::size_t size);

  const char* at_;
  const char* end_;
};

/// Checks that the bytes are exactly one value, within the limits of limits.h on depth and counts,
/// and counts its values. `around` is the number of arrays and maps that the value stands in.
/// Builds nothing. Errors: kMalformed, kTooLarge.
struct Census {
  ErrorCode code = ErrorCode::kOk;
  const char* problem = "";
  std::size_t values = 0;
};
Census take_census(std::string_view bytes, std::size_t around = 0);

}  // namespace genai::wire
