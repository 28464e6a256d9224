#include "protocol/wire/reader.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "protocol/base/text.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/open_map.h"

namespace genai::wire {

std::string Path::str() const {
  std::string out = parent ? parent->str() : std::string();
  if (*field) out += (out.empty() ? "" : ".") + std::string(field);
  if (index != SIZE_MAX) out += '[' + std::to_string(index) + ']';
  return out;
}

void refuse(ErrorCode code, const Path& path, const std::string& what) {
  throw DecodeError{code, path.str() + ": " + what};
}

std::string_view kind_of(const Token& token) {
  constexpr std::array<std::string_view, 10> kNames = {
      "nil", "bool", "integer", "negative integer", "float", "str", "bin", "array", "map", "ext"};
  return kNames[static_cast<std::size_t>(token.kind)];
}

namespace {

std::string got(const char* wanted, const Token& token) {
  return std::string("expected ") + wanted + ", got " + std::string(kind_of(token));
}

/// What an open map may still take. Each value takes at least a byte and its content, so a map of
/// millions of values ends here and not in memory.
class Room {
 public:
  explicit Room(std::size_t bytes) : left_(bytes) {}
  void take(std::size_t bytes, const Path& path) {
    if (bytes > left_) refuse(ErrorCode::kTooLarge, path, "the map is larger than its limit");
    left_ -= bytes;
  }

 private:
  std::size_t left_;
};

Value read_value(Cursor& cursor, const Path& path, Room& room);
ValueMap read_entries(const Token& head, Cursor& cursor, const Path& path, Room& room);

std::string read_text(const Token& token, const Path& path, Room& room) {
  room.take(token.size, path);
  if (!is_valid_utf8(token.view())) refuse(ErrorCode::kMalformed, path, "invalid UTF-8");
  return std::string(token.view());
}

ValueList read_list(const Token& head, Cursor& cursor, const Path& path, Room& room) {
  ValueList list;
  list.reserve(head.size);
  for (std::uint32_t i = 0; i < head.size; ++i)
    list.push_back(read_value(cursor, Path{&path, "", i}, room));
  return list;
}

Value read_value(Cursor& cursor, const Path& path, Room& room) {
  room.take(1, path);
  const Token token = *cursor.next();
  switch (token.kind) {
    case Kind::kNil:
      return Value();
    case Kind::kBool:
      return Value(token.uint != 0);
    case Kind::kUint:
      return Value(token.uint);
    case Kind::kNegative:
      return Value(token.negative);
    case Kind::kFloat:
      if (!std::isfinite(token.real)) refuse(ErrorCode::kBadField, path, "not a finite number");
      return Value(token.real);
    case Kind::kStr:
      return Value(read_text(token, path, room));
    case Kind::kBin:
      room.take(token.size, path);
      return Value(Bytes{std::string(token.view())});
    case Kind::kArray:
      return Value(read_list(token, cursor, path, room));
    case Kind::kMap:
      return Value(read_entries(token, cursor, path, room));
    case Kind::kExt:
      break;
  }
  refuse(ErrorCode::kMalformed, path, "extension types are not allowed");
}

ValueMap read_entries(const Token& head, Cursor& cursor, const Path& path, Room& room) {
  ValueMap::sequence_type entries;
  entries.reserve(head.size);
  bool in_order = true;
  for (std::uint32_t i = 0; i < head.size; ++i) {
    const Path entry{&path, "", i};
    const Token key = *cursor.next();
    if (key.kind != Kind::kStr) refuse(ErrorCode::kMalformed, entry, "key is not a str");
    if (key.size > limits::kMaxNameBytes)
      refuse(ErrorCode::kTooLarge, entry, "key longer than 128 bytes");
    room.take(1, entry);
    in_order &= entries.empty() || entries.back().first < key.view();
    std::string text = read_text(key, entry, room);
    entries.emplace_back(std::move(text), read_value(cursor, entry, room));
  }
  // Sorted once: entered one by one, each could move all others.
  if (!in_order) {
    std::ranges::sort(entries, {}, &ValueMap::value_type::first);
    const auto twice = std::ranges::adjacent_find(entries, {}, &ValueMap::value_type::first);
    if (twice != entries.end()) refuse(ErrorCode::kMalformed, path, "duplicate key");
  }
  ValueMap map;
  map.adopt_sequence(boost::container::ordered_unique_range, std::move(entries));
  return map;
}

/// Passes over the value at the cursor and says whether it is already what would be written of it,
/// and nothing in it would be refused.
bool is_canonical(Cursor& cursor) {
  const Token token = *cursor.next();
  if (!token.canonical) return false;
  switch (token.kind) {
    case Kind::kFloat:
      return std::isfinite(token.real);
    case Kind::kStr:
      return is_valid_utf8(token.view());
    case Kind::kArray:
      for (std::uint32_t i = 0; i < token.size; ++i)
        if (!is_canonical(cursor)) return false;
      return true;
    case Kind::kMap: {
      std::string_view last;
      for (std::uint32_t i = 0; i < token.size; ++i) {
        const Token key = *cursor.next();
        if (key.kind != Kind::kStr || !key.canonical || key.size > limits::kMaxNameBytes ||
            !is_valid_utf8(key.view()) || (i > 0 && key.view() <= last) || !is_canonical(cursor))
          return false;
        last = key.view();
      }
      return true;
    }
    case Kind::kExt:
      return false;
    default:
      return true;
  }
}

}  // namespace

ValueMap read_map(Cursor& cursor, const Path& path, std::size_t max_bytes) {
  Room room(max_bytes);
  room.take(1, path);
  const Token head = *cursor.next();
  if (head.kind != Kind::kMap) refuse(ErrorCode::kBadField, path, got("a map", head));
  return read_entries(head, cursor, path, room);
}

std::string read_canonical_map(Cursor& cursor, const Path& path, std::size_t max_bytes) {
  Cursor ahead = cursor;
  const bool is_map = Cursor(cursor).next()->kind == Kind::kMap;
  std::string raw;
  if (is_map && is_canonical(ahead)) {
    raw.assign(cursor.position(), ahead.position());
    cursor = ahead;
  } else {
    raw = encode_map(read_map(cursor, path, max_bytes));
  }
  if (raw.size() > max_bytes)
    refuse(ErrorCode::kTooLarge, path, "map larger than " + std::to_string(max_bytes) + " bytes");
  return raw;
}

void check_canonical_map(Cursor& cursor, const Path& path) {
  Cursor ahead = cursor;
  if (Cursor(cursor).next()->kind == Kind::kMap && is_canonical(ahead))
    cursor = ahead;
  else
    read_map(cursor, path, SIZE_MAX);
}

std::uint32_t Reader::array_size(const Token& token, const Path& path) {
  if (token.kind != Kind::kArray) refuse(ErrorCode::kBadField, path, got("an array", token));
  return token.size;
}

std::uint64_t Reader::integer(const Token& token, const Path& path, std::uint64_t min,
                              std::uint64_t max) {
  if (token.kind != Kind::kUint)
    refuse(ErrorCode::kBadField, path, got("an unsigned integer", token));
  if (token.uint < min || token.uint > max)
    refuse(ErrorCode::kBadField, path,
           "expected " + std::to_string(min) + " to " + std::to_string(max) + ", got " +
               std::to_string(token.uint));
  return token.uint;
}

std::string_view Reader::text_view(const Token& token, const Path& path, std::size_t max_bytes) {
  if (token.kind != Kind::kStr) refuse(ErrorCode::kBadField, path, got("a str", token));
  if (token.size > max_bytes)
    refuse(ErrorCode::kTooLarge, path, "longer than " + std::to_string(max_bytes) + " bytes");
  if (!is_valid_utf8(token.view())) refuse(ErrorCode::kMalformed, path, "invalid UTF-8");
  return token.view();
}

std::string_view Reader::bin_view(const Token& token, const Path& path, std::size_t max_bytes) {
  if (token.kind != Kind::kBin) refuse(ErrorCode::kBadField, path, got("a bin", token));
  if (token.size > max_bytes)
    refuse(ErrorCode::kTooLarge, path, "longer than " + std::to_string(max_bytes) + " bytes");
  return token.view();
}

void Reader::pass_over(std::uint32_t elements) {
  const std::size_t before = source_.cursor.left();
  for (; elements > 0; --elements) source_.cursor.skip();
  source_.unknown_bytes += before - source_.cursor.left();
}

void Reader::real(const char* field, double& out, double min, double max) {
  if (!is_next()) return;
  const Path path{&path_, field};
  const Token token = take();
  if (token.kind == Kind::kUint)
    out = static_cast<double>(token.uint);
  else if (token.kind == Kind::kFloat)
    out = token.real;
  else
    refuse(ErrorCode::kBadField, path, got("a number", token));
  if (!(out >= min && out <= max)) refuse(ErrorCode::kBadField, path, "number out of range");
}

void Reader::flag(const char* field, bool& out) {
  if (!is_next()) return;
  const Token token = take();
  if (token.kind != Kind::kBool)
    refuse(ErrorCode::kBadField, Path{&path_, field}, got("a bool", token));
  out = token.uint != 0;
}

// A newer peer may send a code this version does not know: that is still an error report.
void Reader::code(const char* field, ErrorCode& out) {
  if (is_next()) out = static_cast<ErrorCode>(integer(take(), Path{&path_, field}, 0, UINT16_MAX));
}

void Reader::map(const char* field, ValueMap& out, std::size_t max_bytes) {
  if (!is_next()) return;
  const Path path{&path_, field};
  const char* const begin = source_.cursor.position();
  out = read_map(source_.cursor, path, max_bytes);
  // Written again, a float of 5 bytes takes 9, and nothing takes more.
  const auto bytes = static_cast<std::size_t>(source_.cursor.position() - begin);
  if (bytes > max_bytes / 2 && encode_map(out).size() > max_bytes)
    refuse(ErrorCode::kTooLarge, path, "map larger than " + std::to_string(max_bytes) + " bytes");
}

void Reader::read_spec(const char* field, TaskSpec& out, bool is_new) {
  if (!is_next()) return;
  const Path path{&path_, field};
  const auto read =
      wire::read_spec(read_canonical_map(source_.cursor, path, limits::kMaxSpecBytes), out, is_new);
  if (!read) refuse(read.error().code, path, read.error().detail);
}

void Reader::meta(const char* field, PublicMetaInfo& out) {
  if (!is_next()) return;
  const Path path{&path_, field};
  auto meta = meta_from(read_canonical_map(source_.cursor, path, limits::kMaxMetaBytes));
  if (!meta) refuse(meta.error().code, path, meta.error().detail);
  out = std::move(*meta);
}

}  // namespace genai::wire
