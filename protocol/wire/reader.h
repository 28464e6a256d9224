// The archive that reads fields from msgpack and believes none of them.
#pragma once

#include <cmath>
#include <msgpack.hpp>
#include <string>

#include "protocol/codec.h"
#include "protocol/wire/fields.h"
#include "protocol/wire/writer.h"

namespace genai::wire {

/// Thrown inside the codec only; decode() turns it into an Error value.
struct DecodeError {
  ErrorCode code;
  std::string detail;
};

/// Where in the message the reader stands, for the error's detail; lives on the stack.
struct Path {
  const Path* parent = nullptr;
  const char* field = "";
  std::size_t index = SIZE_MAX;  // in a list

  std::string str() const;
};

[[noreturn]] void refuse(ErrorCode code, const Path& path, const std::string& what);
std::string kind_of(const msgpack::object& object);

/// Strict: text keys, valid UTF-8, no duplicates, no extension types, no NaN. kTooLarge as soon as
/// it is sure that the map takes more than `max_bytes`; the caller measures the rest exactly.
ValueMap read_map(const msgpack::object& object, const Path& path, std::size_t max_bytes);

class Reader {
 public:
  /// `items` are the elements of an array with the right arity.
  Reader(const msgpack::object* items, const Blob& frame, const Path& path)
      : next_(items), frame_(frame), path_(path) {}

  template <class Tag>
  void id(const char* field, TextId<Tag>& out) {
    out = parse_id<TextId<Tag>>(take(), Path{&path_, field});
  }
  template <class Tag>
  void id(const char* field, BinaryId<Tag>& out) {
    const Path path{&path_, field};
    auto id = BinaryId<Tag>::parse(bin_view(take(), path, BinaryId<Tag>::kBytes));
    if (!id) refuse(ErrorCode::kBadField, path, "expected 16 bytes");
    out = *id;
  }
  template <class Int>
  void uint(const char* field, Int& out, std::uint64_t min = 0, std::uint64_t max = UINT64_MAX) {
    out = static_cast<Int>(integer(take(), Path{&path_, field}, min, max));
  }
  void real(const char* field, double& out, double min, double max);
  void flag(const char* field, bool& out);
  void text(const char* field, std::string& out, std::size_t max) {
    out = text_view(take(), Path{&path_, field}, max);
  }
  void bin(const char* field, Blob& out, std::size_t max) {
    out = frame_.sub(bin_view(take(), Path{&path_, field}, max));
  }
  void code(const char* field, ErrorCode& out);
  template <class E>
  void enumerated(const char* field, E& out, std::uint8_t max) {
    out = static_cast<E>(integer(take(), Path{&path_, field}, 0, max));
  }
  void map(const char* field, ValueMap& out, std::size_t max_bytes);
  void spec(const char* field, TaskSpec& out);
  void meta(const char* field, PublicMetaInfo& out);

  template <class T>
  void nested(const char* field, T& out) {
    element(out, take(), Path{&path_, field});
  }
  template <class T>
  void list(const char* field, std::vector<T>& out, std::size_t min, std::size_t max) {
    Path path{&path_, field};
    const auto& array = array_of(take(), path);
    if (array.size < min || array.size > max)
      refuse(array.size > max ? ErrorCode::kTooLarge : ErrorCode::kBadField, path,
             "expected " + std::to_string(min) + " to " + std::to_string(max) + " entries, got " +
                 std::to_string(array.size));
    out.resize(array.size);
    for (std::size_t i = 0; i < array.size; ++i) {
      path.index = i;
      element(out[i], array.ptr[i], path);
    }
  }

  static const msgpack::object_array& array_of(const msgpack::object& object, const Path& path);

 private:
  const msgpack::object& take() { return *next_++; }

  void element(std::string& out, const msgpack::object& object, const Path& path) {
    out = text_view(object, path, limits::kMaxNameBytes);
  }
  void element(TaskId& out, const msgpack::object& object, const Path& path) {
    out = parse_id<TaskId>(object, path);
  }
  void element(ValueMap& out, const msgpack::object& object, const Path& path) {
    out = read_map(object, path, SIZE_MAX);
  }
  void element(msg::Delta::Change& out, const msgpack::object& object, const Path& path);
  template <class T>
  void element(T& out, const msgpack::object& object, const Path& path) {
    read_fields(out, object, path, 0);
  }

  /// Fields of `out` from the array after its first `skip` elements.
  template <class T>
  void read_fields(T& out, const msgpack::object& object, const Path& path, std::uint32_t skip) {
    const auto& array = array_of(object, path);
    if (array.size != arity<T>() + skip)
      refuse(ErrorCode::kMalformed, path,
             "expected " + std::to_string(arity<T>() + skip) + " fields, got " +
                 std::to_string(array.size));
    Reader inner(array.ptr + skip, frame_, path);
    fields(inner, out);
  }

  template <class Id>
  static Id parse_id(const msgpack::object& object, const Path& path) {
    auto id = Id::parse(text_view(object, path, limits::kMaxIdBytes));
    if (!id) refuse(ErrorCode::kBadField, path, "expected 1 to 64 bytes of [A-Za-z0-9._:-]");
    return *id;
  }
  static std::uint64_t integer(const msgpack::object& object, const Path& path, std::uint64_t min,
                               std::uint64_t max);
  static std::string_view text_view(const msgpack::object& object, const Path& path,
                                    std::size_t max_bytes);
  static std::string_view bin_view(const msgpack::object& object, const Path& path,
                                   std::size_t max_bytes);

  const msgpack::object* next_;
  const Blob& frame_;
  const Path& path_;
};

}  // namespace genai::wire
