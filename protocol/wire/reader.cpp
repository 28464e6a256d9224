#include "protocol/wire/reader.h"

#include "protocol/text.h"
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

std::string kind_of(const msgpack::object& object) {
  switch (object.type) {
    case msgpack::type::NIL:
      return "nil";
    case msgpack::type::BOOLEAN:
      return "bool";
    case msgpack::type::POSITIVE_INTEGER:
      return "integer";
    case msgpack::type::NEGATIVE_INTEGER:
      return "negative integer";
    case msgpack::type::FLOAT32:
    case msgpack::type::FLOAT64:
      return "float";
    case msgpack::type::STR:
      return "str";
    case msgpack::type::BIN:
      return "bin";
    case msgpack::type::ARRAY:
      return "array";
    case msgpack::type::MAP:
      return "map";
    case msgpack::type::EXT:
      return "ext";
  }
  return "unknown";
}

namespace {

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

Value read_value(const msgpack::object& object, const Path& path, Room& room);
ValueMap read_entries(const msgpack::object& object, const Path& path, Room& room);

std::string read_text(const msgpack::object& object, const Path& path, Room& room) {
  const std::string_view view(object.via.str.ptr, object.via.str.size);
  room.take(view.size(), path);
  if (!is_valid_utf8(view)) refuse(ErrorCode::kMalformed, path, "invalid UTF-8");
  return std::string(view);
}

ValueList read_list(const msgpack::object& object, const Path& path, Room& room) {
  ValueList list;
  list.reserve(object.via.array.size);
  for (std::uint32_t i = 0; i < object.via.array.size; ++i)
    list.push_back(read_value(object.via.array.ptr[i], Path{&path, "", i}, room));
  return list;
}

Value read_value(const msgpack::object& object, const Path& path, Room& room) {
  room.take(1, path);
  switch (object.type) {
    case msgpack::type::NIL:
      return Value();
    case msgpack::type::BOOLEAN:
      return Value(object.via.boolean);
    case msgpack::type::POSITIVE_INTEGER:
      return Value(object.via.u64);
    case msgpack::type::NEGATIVE_INTEGER:
      return Value(object.via.i64);
    case msgpack::type::FLOAT32:
    case msgpack::type::FLOAT64:
      if (!std::isfinite(object.via.f64)) refuse(ErrorCode::kBadField, path, "not a finite number");
      return Value(object.via.f64);
    case msgpack::type::STR:
      return Value(read_text(object, path, room));
    case msgpack::type::BIN:
      room.take(object.via.bin.size, path);
      return Value(Bytes{std::string(object.via.bin.ptr, object.via.bin.size)});
    case msgpack::type::ARRAY:
      return Value(read_list(object, path, room));
    case msgpack::type::MAP:
      return Value(read_entries(object, path, room));
    case msgpack::type::EXT:
      break;
  }
  refuse(ErrorCode::kMalformed, path, "extension types are not allowed");
}

ValueMap read_entries(const msgpack::object& object, const Path& path, Room& room) {
  if (object.type != msgpack::type::MAP)
    refuse(ErrorCode::kBadField, path, "expected a map, got " + kind_of(object));
  ValueMap map;
  for (std::uint32_t i = 0; i < object.via.map.size; ++i) {
    const auto& [key, value] = object.via.map.ptr[i];
    const Path entry{&path, "", i};
    if (key.type != msgpack::type::STR) refuse(ErrorCode::kMalformed, entry, "key is not a str");
    if (key.via.str.size > limits::kMaxNameBytes)
      refuse(ErrorCode::kTooLarge, entry, "key longer than 128 bytes");
    room.take(1, entry);
    auto [it, inserted] = map.try_emplace(read_text(key, entry, room));
    if (!inserted) refuse(ErrorCode::kMalformed, entry, "duplicate key");
    it->second = read_value(value, entry, room);
  }
  return map;
}

}  // namespace

ValueMap read_map(const msgpack::object& object, const Path& path, std::size_t max_bytes) {
  Room room(max_bytes);
  room.take(1, path);
  return read_entries(object, path, room);
}

const msgpack::object_array& Reader::array_of(const msgpack::object& object, const Path& path) {
  if (object.type != msgpack::type::ARRAY)
    refuse(ErrorCode::kBadField, path, "expected an array, got " + kind_of(object));
  return object.via.array;
}

std::uint64_t Reader::integer(const msgpack::object& object, const Path& path, std::uint64_t min,
                              std::uint64_t max) {
  if (object.type != msgpack::type::POSITIVE_INTEGER)
    refuse(ErrorCode::kBadField, path, "expected an unsigned integer, got " + kind_of(object));
  if (object.via.u64 < min || object.via.u64 > max)
    refuse(ErrorCode::kBadField, path,
           "expected " + std::to_string(min) + " to " + std::to_string(max) + ", got " +
               std::to_string(object.via.u64));
  return object.via.u64;
}

std::string_view Reader::text_view(const msgpack::object& object, const Path& path,
                                   std::size_t max_bytes) {
  if (object.type != msgpack::type::STR)
    refuse(ErrorCode::kBadField, path, "expected a str, got " + kind_of(object));
  const std::string_view view(object.via.str.ptr, object.via.str.size);
  if (view.size() > max_bytes)
    refuse(ErrorCode::kTooLarge, path, "longer than " + std::to_string(max_bytes) + " bytes");
  if (!is_valid_utf8(view)) refuse(ErrorCode::kMalformed, path, "invalid UTF-8");
  return view;
}

std::string_view Reader::bin_view(const msgpack::object& object, const Path& path,
                                  std::size_t max_bytes) {
  if (object.type != msgpack::type::BIN)
    refuse(ErrorCode::kBadField, path, "expected a bin, got " + kind_of(object));
  if (object.via.bin.size > max_bytes)
    refuse(ErrorCode::kTooLarge, path, "longer than " + std::to_string(max_bytes) + " bytes");
  return {object.via.bin.ptr, object.via.bin.size};
}

void Reader::real(const char* field, double& out, double min, double max) {
  const Path path{&path_, field};
  const msgpack::object& object = take();
  if (object.type == msgpack::type::POSITIVE_INTEGER)
    out = static_cast<double>(object.via.u64);
  else if (object.type == msgpack::type::FLOAT32 || object.type == msgpack::type::FLOAT64)
    out = object.via.f64;
  else
    refuse(ErrorCode::kBadField, path, "expected a number, got " + kind_of(object));
  if (!(out >= min && out <= max)) refuse(ErrorCode::kBadField, path, "number out of range");
}

void Reader::flag(const char* field, bool& out) {
  const msgpack::object& object = take();
  if (object.type != msgpack::type::BOOLEAN)
    refuse(ErrorCode::kBadField, Path{&path_, field}, "expected a bool, got " + kind_of(object));
  out = object.via.boolean;
}

// A newer peer may send a code this version does not know: that is still an error report.
void Reader::code(const char* field, ErrorCode& out) {
  out = static_cast<ErrorCode>(integer(take(), Path{&path_, field}, 0, UINT16_MAX));
}

void Reader::map(const char* field, ValueMap& out, std::size_t max_bytes) {
  const Path path{&path_, field};
  out = read_map(take(), path, max_bytes);
  if (encode_map(out).size() > max_bytes)
    refuse(ErrorCode::kTooLarge, path, "map larger than " + std::to_string(max_bytes) + " bytes");
}

void Reader::spec(const char* field, TaskSpec& out) {
  const Path path{&path_, field};
  const ValueMap map = read_map(take(), path, limits::kMaxSpecBytes);
  auto spec = spec_from(map);
  if (!spec) refuse(spec.error().code, path, spec.error().detail);
  out = std::move(*spec);
  out.raw = encode_map(map);
  if (out.raw.size() > limits::kMaxSpecBytes)
    refuse(ErrorCode::kTooLarge, path, "spec larger than 65536 bytes");
}

void Reader::meta(const char* field, PublicMetaInfo& out) {
  const Path path{&path_, field};
  const ValueMap map = read_map(take(), path, limits::kMaxMetaBytes);
  if (encode_map(map).size() > limits::kMaxMetaBytes)
    refuse(ErrorCode::kTooLarge, path, "meta larger than 65536 bytes");
  auto meta = meta_from(map);
  if (!meta) refuse(meta.error().code, path, meta.error().detail);
  out = std::move(*meta);
}

void Reader::element(msg::Delta::Change& out, const msgpack::object& object, const Path& path) {
  const auto& array = array_of(object, path);
  if (array.size == 0) refuse(ErrorCode::kMalformed, path, "empty change");
  switch (integer(array.ptr[0], path, 0, std::variant_size_v<msg::Delta::Change> - 1)) {
    case 0:
      read_fields(out.emplace<0>(), object, path, 1);
      break;
    case 1:
      read_fields(out.emplace<1>(), object, path, 1);
      break;
    default:
      read_fields(out.emplace<2>(), object, path, 1);
      break;
  }
}

}  // namespace genai::wire
