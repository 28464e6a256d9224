#include "protocol/wire/cursor.h"

#include <algorithm>
#include <bit>
#include <type_traits>

#include "protocol/base/limits.h"

namespace genai::wire {

/// Big-endian.
template <class Int>
bool Cursor::take(Int& out) {
  if (left() < sizeof(Int)) return false;
  std::make_unsigned_t<Int> value = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i)
    value = static_cast<decltype(value)>((std::uint64_t{value} << 8) |
                                         static_cast<unsigned char>(at_[i]));
  at_ += sizeof(Int);
  out = static_cast<Int>(value);
  return true;
}

/// With its size in front; `least`: what a shorter form could not say.
template <class Size>
std::optional<Token> Cursor::sized(Kind kind, std::uint64_t least) {
  Size size = 0;
  if (!take(size)) return std::nullopt;
  const bool canonical = size >= least;
  if (kind == Kind::kStr || kind == Kind::kBin) return text(kind, size, canonical);
  Token token(kind, canonical);
  token.size = size;
  return token;
}

template <class Unsigned>
std::optional<Token> Cursor::unsigned_number(std::uint64_t least) {
  Unsigned value = 0;
  if (!take(value)) return std::nullopt;
  Token token(Kind::kUint, value >= least);
  token.uint = value;
  return token;
}

std::optional<Token> flag(unsigned value) {
  Token token(Kind::kBool);
  token.uint = value;
  return token;
}

/// Of the signed formats only negative numbers are canonical; `above`: what a shorter form holds.
template <class Signed>
std::optional<Token> Cursor::signed_number(std::int64_t above) {
  Signed value = 0;
  if (!take(value)) return std::nullopt;
  Token token(value < 0 ? Kind::kNegative : Kind::kUint, value < above);
  if (value < 0)
    token.negative = value;
  else
    token.uint = static_cast<std::uint64_t>(value);
  return token;
}

std::optional<Token> Cursor::float_number(bool wide) {
  Token token(Kind::kFloat, wide);
  if (wide) {
    std::uint64_t bits = 0;
    if (!take(bits)) return std::nullopt;
    token.real = std::bit_cast<double>(bits);
  } else {
    std::uint32_t bits = 0;
    if (!take(bits)) return std::nullopt;
    token.real = static_cast<double>(std::bit_cast<float>(bits));
  }
  return token;
}

std::optional<Token> Cursor::extension(std::size_t size) {
  return text(Kind::kExt, size + 1, true);  // its type is a byte before its content
}

std::optional<Token> Cursor::next_long() {
  const auto head = static_cast<unsigned char>(*at_++);
  if (head >= 0xe0) {
    Token token(Kind::kNegative);
    token.negative = static_cast<std::int8_t>(head);
    return token;
  }
  std::uint8_t small = 0;
  std::uint16_t medium = 0;
  std::uint32_t large = 0;
  switch (head) {
    case 0xc0:
      return Token{};
    case 0xc2:
    case 0xc3:
      return flag(head & 1u);
    case 0xc4:
      return sized<std::uint8_t>(Kind::kBin, 0);
    case 0xc5:
      return sized<std::uint16_t>(Kind::kBin, 1u << 8);
    case 0xc6:
      return sized<std::uint32_t>(Kind::kBin, 1u << 16);
    case 0xc7:
      return take(small) ? extension(small) : std::nullopt;
    case 0xc8:
      return take(medium) ? extension(medium) : std::nullopt;
    case 0xc9:
      return take(large) ? extension(large) : std::nullopt;
    case 0xca:
    case 0xcb:
      return float_number(head == 0xcb);
    case 0xcc:
      return unsigned_number<std::uint8_t>(1u << 7);
    case 0xcd:
      return unsigned_number<std::uint16_t>(1u << 8);
    case 0xce:
      return unsigned_number<std::uint32_t>(1u << 16);
    case 0xcf:
      return unsigned_number<std::uint64_t>(1ull << 32);
    case 0xd0:
      return signed_number<std::int8_t>(-32);
    case 0xd1:
      return signed_number<std::int16_t>(INT8_MIN);
    case 0xd2:
      return signed_number<std::int32_t>(INT16_MIN);
    case 0xd3:
      return signed_number<std::int64_t>(INT32_MIN);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return extension(std::size_t{1} << (head - 0xd4u));
    case 0xd9:
      return sized<std::uint8_t>(Kind::kStr, 1u << 5);
    case 0xda:
      return sized<std::uint16_t>(Kind::kStr, 1u << 8);
    case 0xdb:
      return sized<std::uint32_t>(Kind::kStr, 1u << 16);
    case 0xdc:
      return sized<std::uint16_t>(Kind::kArray, 1u << 4);
    case 0xdd:
      return sized<std::uint32_t>(Kind::kArray, 1u << 16);
    case 0xde:
      return sized<std::uint16_t>(Kind::kMap, 1u << 4);
    case 0xdf:
      return sized<std::uint32_t>(Kind::kMap, 1u << 16);
    default:  // 0xc1 is never used
      return std::nullopt;
  }
}

void Cursor::skip() {
  for (std::uint64_t values = 1; values > 0; --values) values += next()->content();
}

Census take_census(std::string_view bytes, std::size_t around) {
  constexpr Census kCut{ErrorCode::kMalformed, "not msgpack, or cut short"};
  constexpr Census kMuch{ErrorCode::kTooLarge,
                         "nested deeper or counting more than the limits allow"};
  // A length that could not be there is a claim, and answered as one.
  const std::uint64_t most = std::min(bytes.size(), limits::kMaxArrayEntries);
  const std::uint64_t most_pairs = std::min<std::uint64_t>(most, limits::kMaxMapEntries);
  std::uint64_t open[limits::kMaxDepth];  // values still to come, of each container around
  std::size_t depth = 0;
  Census census;
  Cursor cursor(bytes);
  for (;;) {
    const auto token = cursor.next();
    if (!token) return kCut;
    if (token->kind == Kind::kArray || token->kind == Kind::kMap) {
      if (depth + around >= limits::kMaxDepth ||
          token->size > (token->kind == Kind::kArray ? most : most_pairs))
        return kMuch;
      open[depth++] = token->content();
    }
    while (depth > 0 && open[depth - 1] == 0) --depth;
    if (depth == 0) break;
    --open[depth - 1];
    if (++census.values > limits::kMaxFrameValues) return kMuch;
  }
  if (cursor.left() > 0) return {ErrorCode::kMalformed, "bytes after the end"};
  return census;
}

}  // namespace genai::wire
