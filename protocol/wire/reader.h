// The archive that reads fields from msgpack, in place, and believes none of them. The bytes are
// well-formed and within the limits of a frame (take_census) before it begins.
#pragma once

#include <string>

#include "protocol/wire/codec.h"
#include "protocol/wire/cursor.h"
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
std::string_view kind_of(const Token& token);

/// The value at the cursor. Strict: text keys, valid UTF-8, no duplicates, no extension types, no
/// NaN. kTooLarge as soon as it is sure that the map takes more than `max_bytes`; the caller
/// measures the rest exactly.
ValueMap read_map(Cursor& cursor, const Path& path, std::size_t max_bytes);
/// The same value in canonical form: the bytes as they came when they are.
std::string read_canonical_map(Cursor& cursor, const Path& path, std::size_t max_bytes);

class Reader {
 public:
  /// The cursor stands at the first field of an array with the right arity.
  Reader(Cursor& cursor, const Blob& frame, const Path& path)
      : cursor_(cursor), frame_(frame), path_(path) {}

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
  void spec(const char* field, TaskSpec& out) { read_spec(field, out, false); }
  /// Of a task that is to be accepted. What was accepted once must not be refused on its way to a
  /// node, so more is asked for here.
  void new_spec(const char* field, TaskSpec& out) { read_spec(field, out, true); }
  void meta(const char* field, PublicMetaInfo& out);

  template <class T>
  void nested(const char* field, T& out) {
    element(out, Path{&path_, field});
  }
  template <class T>
  void list(const char* field, std::vector<T>& out, std::size_t min, std::size_t max) {
    Path path{&path_, field};
    const std::uint32_t size = array_size(take(), path);
    if (size < min || size > max)
      refuse(size > max ? ErrorCode::kTooLarge : ErrorCode::kBadField, path,
             "expected " + std::to_string(min) + " to " + std::to_string(max) + " entries, got " +
                 std::to_string(size));
    out.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      path.index = i;
      element(out[i], path);
    }
  }

  static std::uint32_t array_size(const Token& token, const Path& path);

 private:
  Token take() { return *cursor_.next(); }
  void read_spec(const char* field, TaskSpec& out, bool is_new);

  void element(std::string& out, const Path& path) {
    out = text_view(take(), path, limits::kMaxNameBytes);
  }
  void element(TaskId& out, const Path& path) { out = parse_id<TaskId>(take(), path); }
  void element(ValueMap& out, const Path& path) { out = read_map(cursor_, path, SIZE_MAX); }
  void element(msg::Delta::Change& out, const Path& path);
  template <class T>
  void element(T& out, const Path& path) {
    read_fields(out, array_size(take(), path), path);
  }

  /// The fields of `out`, of which so many should follow.
  template <class T>
  void read_fields(T& out, std::uint32_t count, const Path& path) {
    if (count != arity<T>())
      refuse(ErrorCode::kMalformed, path,
             "expected " + std::to_string(arity<T>()) + " fields, got " + std::to_string(count));
    Reader inner(cursor_, frame_, path);
    fields(inner, out);
  }

  template <class Id>
  static Id parse_id(const Token& token, const Path& path) {
    // What is an id is valid UTF-8 too.
    if (token.kind == Kind::kStr)
      if (auto id = Id::parse(token.view())) return std::move(*id);
    text_view(token, path, limits::kMaxIdBytes);
    refuse(ErrorCode::kBadField, path, "expected 1 to 64 bytes of [A-Za-z0-9._:-]");
  }
  static std::uint64_t integer(const Token& token, const Path& path, std::uint64_t min,
                               std::uint64_t max);
  static std::string_view text_view(const Token& token, const Path& path, std::size_t max_bytes);
  static std::string_view bin_view(const Token& token, const Path& path, std::size_t max_bytes);

  Cursor& cursor_;
  const Blob& frame_;
  const Path& path_;
};

}  // namespace genai::wire
