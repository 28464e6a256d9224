// The archive that reads fields from msgpack in place, and checks each of them. The bytes must be
// well-formed and within the limits of a frame (take_census).
#pragma once

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "protocol/base/blob.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"
#include "protocol/base/limits.h"
#include "protocol/base/value.h"
#include "protocol/wire/cursor.h"
#include "protocol/wire/public_meta.h"
#include "protocol/wire/shape.h"
#include "protocol/wire/task_spec.h"

namespace genai::wire {

/// It is thrown only inside the codec. decode() turns it into an Error value.
struct DecodeError {
  ErrorCode code;
  std::string detail;
};

/// The reader's place in the message, for the detail of an error. It lives on the stack.
struct Path {
  const Path* parent = nullptr;
  const char* field = "";
  std::size_t index = SIZE_MAX;  // in a list

  std::string str() const;
};

[[noreturn]] void refuse(ErrorCode code, const Path& path, const std::string& what);
std::string_view kind_of(const Token& token);

/// Reads the value at the cursor. Strict: text keys, valid UTF-8, no duplicates, no extension
/// types, no NaN. Refuses with kTooLarge as soon as the map surely takes more than `max_bytes`; the
/// caller measures the size exactly.
ValueMap read_map(Cursor& cursor, const Path& path, std::size_t max_bytes);
/// Returns the same value in canonical form: the received bytes, if they are canonical.
std::string read_canonical_map(Cursor& cursor, const Path& path, std::size_t max_bytes);

/// Passes over the map at the cursor. Refuses what read_canonical_map() refuses, except its size.
void check_canonical_map(Cursor& cursor, const Path& path);

/// The state that the readers of one frame share.
struct Source {
  explicit Source(const Blob& of) : frame(of), cursor(of.view()) {}

  const Blob& frame;
  Cursor cursor;
  bool is_shared = true;          // blobs may share the memory of the frame
  std::size_t unknown_bytes = 0;  // of elements that were skipped
};

class Reader {
 public:
  /// The cursor must stand at the first field. The array has `count` fields.
  Reader(Source& source, const Path& path, std::uint32_t count)
      : source_(source), path_(path), left_(count) {}

  /// Reads the fields of `out`, which must be new, from an array of `count` elements, of which the
  /// first `head` have been read. Skips the elements behind the fields unread.
  template <class T>
  static void read(Source& source, T& out, std::uint32_t count, std::uint32_t head,
                   const Path& path) {
    const Shape& shape = shape_of<T>();
    const std::uint32_t least = shape.required + head;
    if (count < least)
      refuse(
          ErrorCode::kMalformed, path,
          "expected at least " + std::to_string(least) + " elements, got " + std::to_string(count));
    const std::uint32_t present = count - head;
    Reader reader(source, path, std::min(present, shape.known));
    out.fields(reader);
    if (present > shape.known) reader.pass_over(present - shape.known);
  }

  void optional() {}
  void appended() {}

  template <class Tag>
  void id(const char* field, TextId<Tag>& out) {
    if (is_next()) out = parse_id<TextId<Tag>>(take(), Path{&path_, field});
  }
  template <class Tag>
  void id(const char* field, BinaryId<Tag>& out) {
    if (!is_next()) return;
    const Path path{&path_, field};
    auto id = BinaryId<Tag>::parse(bin_view(take(), path, BinaryId<Tag>::kBytes));
    if (!id) refuse(ErrorCode::kBadField, path, "expected 16 bytes");
    out = *id;
  }
  template <class Int>
  void uint(const char* field, Int& out, std::uint64_t min = 0, std::uint64_t max = UINT64_MAX) {
    if (is_next()) out = static_cast<Int>(integer(take(), Path{&path_, field}, min, max));
  }
  void real(const char* field, double& out, double min, double max);
  void flag(const char* field, bool& out);
  void text(const char* field, std::string& out, std::size_t max) {
    if (is_next()) out = text_view(take(), Path{&path_, field}, max);
  }
  void bin(const char* field, Blob& out, std::size_t max) {
    if (!is_next()) return;
    out = source_.frame.sub(bin_view(take(), Path{&path_, field}, max));
    if (!source_.is_shared) out = out.detached();
  }
  void code(const char* field, ErrorCode& out);
  template <class E>
  void enumerated(const char* field, E& out, std::uint8_t max) {
    if (is_next()) out = static_cast<E>(integer(take(), Path{&path_, field}, 0, max));
  }
  void map(const char* field, ValueMap& out, std::size_t max_bytes);
  void spec(const char* field, TaskSpec& out) { read_spec(field, out, false); }
  /// The spec of a task that the dispatcher may accept. It is checked more strictly than one on its
  /// way to a node: an accepted spec must not be refused there.
  void new_spec(const char* field, TaskSpec& out) { read_spec(field, out, true); }
  void meta(const char* field, PublicMetaInfo& out);

  template <class T>
  void nested(const char* field, T& out) {
    if (is_next()) element(out, Path{&path_, field});
  }
  template <class T>
  void list(const char* field, std::vector<T>& out, std::size_t min, std::size_t max) {
    if (!is_next()) return;
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
  /// Returns whether the field is there. Only optional fields can be missing, all of them at the en
  bool is_next() {
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  Token take() { return *source_.cursor.next(); }
  void pass_over(std::uint32_t elements);
  void read_spec(const char* field, TaskSpec& out, bool is_new);

  void element(std::string& out, const Path& path) {
    out = text_view(take(), path, limits::kMaxNameBytes);
  }
  void element(TaskId& out, const Path& path) { out = parse_id<TaskId>(take(), path); }
  void element(ValueMap& out, const Path& path) { out = read_map(source_.cursor, path, SIZE_MAX); }
  /// Reads one of several structs. Its number stands before its fields.
  template <class... Ts>
  void element(std::variant<Ts...>& out, const Path& path) {
    const std::uint32_t size = array_size(take(), path);
    if (size == 0) refuse(ErrorCode::kMalformed, path, "empty change");
    const std::uint64_t index = integer(take(), path, 0, sizeof...(Ts) - 1);
    std::size_t at = 0;
    static_cast<void>(
        ((index == at++ && (read(source_, out.template emplace<Ts>(), size, 1, path), true)) ||
         ...));
  }
  template <class T>
  void element(T& out, const Path& path) {
    read(source_, out, array_size(take(), path), 0, path);
  }

  template <class Id>
  static Id parse_id(const Token& token, const Path& path) {
    // An id is always valid UTF-8.
    if (token.kind == Kind::kStr)
      if (auto id = Id::parse(token.view())) return std::move(*id);
    text_view(token, path, limits::kMaxIdBytes);
    refuse(ErrorCode::kBadField, path, "expected 1 to 64 bytes of [A-Za-z0-9._:-]");
  }
  static std::uint64_t integer(const Token& token, const Path& path, std::uint64_t min,
                               std::uint64_t max);
  static std::string_view text_view(const Token& token, const Path& path, std::size_t max_bytes);
  static std::string_view bin_view(const Token& token, const Path& path, std::size_t max_bytes);

  Source& source_;
  const Path& path_;
  std::uint32_t left_;
};

}  // namespace genai::wire
