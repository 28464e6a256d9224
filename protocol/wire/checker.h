// The archive that holds the fields of a struct to the limits of a Reader, without writing them:
// whether a peer would take what was built, or put together, here. It gives the error that the peer
// would answer with.
//
//   if (const auto problem = wire::problem_in(submission, "SUBMIT.tasks", 2)) ...
//
// Not looked at: what hangs on the whole frame, which is its size and its number of values.
// Not thread-safe where the struct is written meanwhile; keeps nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "protocol/base/blob.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"
#include "protocol/base/limits.h"
#include "protocol/base/value.h"
#include "protocol/wire/public_meta.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/task_spec.h"

namespace genai::wire {

class Checker {
 public:
  /// `depth`: arrays around the fields, that of the struct itself included.
  Checker(const Path& path, std::size_t depth) : path_(path), depth_(depth) {}

  void optional() {}
  void appended() {}

  template <class Tag>
  void id(const char* field, const TextId<Tag>& id) {
    if (id.empty()) refuse_id(Path{&path_, field});
  }
  template <class Tag>
  void id(const char*, const BinaryId<Tag>&) {}
  template <class Int>
  void uint(const char* field, Int value, std::uint64_t min = 0, std::uint64_t max = UINT64_MAX) {
    check_uint(static_cast<std::uint64_t>(value), Path{&path_, field}, min, max);
  }
  void real(const char* field, double value, double min, double max);
  void flag(const char*, bool) {}
  void text(const char* field, const std::string& text, std::size_t max) {
    check_text(text, Path{&path_, field}, max);
  }
  void bin(const char* field, const Blob& blob, std::size_t max);
  void code(const char*, ErrorCode) {}
  template <class E>
  void enumerated(const char* field, E value, std::uint8_t max) {
    check_uint(static_cast<std::uint64_t>(value), Path{&path_, field}, 0, max);
  }
  void map(const char* field, const ValueMap& map, std::size_t max_bytes);
  void spec(const char* field, const TaskSpec& spec) { check_spec(field, spec, false); }
  void new_spec(const char* field, const TaskSpec& spec) { check_spec(field, spec, true); }
  void meta(const char* field, const PublicMetaInfo& meta);

  template <class T>
  void nested(const char* field, T& value) {
    element(value, Path{&path_, field}, depth_);
  }
  template <class T>
  void list(const char* field, std::vector<T>& values, std::size_t min, std::size_t max) {
    Path path{&path_, field};
    check_entries(values.size(), path, min, max);
    for (std::size_t i = 0; i < values.size(); ++i) {
      path.index = i;
      element(values[i], path, depth_ + 1);
    }
  }

 private:
  static void element(std::string& text, const Path& path, std::size_t) {
    check_text(text, path, limits::kMaxNameBytes);
  }
  static void element(TaskId& id, const Path& path, std::size_t) {
    if (id.empty()) refuse_id(path);
  }
  static void element(ValueMap& map, const Path& path, std::size_t depth);
  template <class... Ts>
  static void element(std::variant<Ts...>& one, const Path& path, std::size_t depth) {
    std::visit([&](auto& value) { element(value, path, depth); }, one);
  }
  template <class T>
  static void element(T& value, const Path& path, std::size_t depth) {
    Checker inner(path, depth + 1);
    value.fields(inner);
  }

  [[noreturn]] static void refuse_id(const Path& path);
  static void check_uint(std::uint64_t value, const Path& path, std::uint64_t min,
                         std::uint64_t max);
  static void check_text(const std::string& text, const Path& path, std::size_t max);
  static void check_entries(std::size_t count, const Path& path, std::size_t min, std::size_t max);
  void check_spec(const char* field, const TaskSpec& spec, bool is_new);

  const Path& path_;
  std::size_t depth_;
};

/// What a peer would refuse `value` for, or nothing; the detail names `name` and the field.
/// `around`: arrays around the struct's own, that of the message included.
/// kMalformed, kBadField, kTooLarge.
template <class T>
std::optional<Error> problem_in(const T& value, const char* name, std::size_t around) {
  try {
    const Path path{nullptr, name};
    Checker checker(path, around + 1);
    // `fields` serves reading too, so it takes a mutable struct; a checker changes nothing.
    const_cast<T&>(value).fields(checker);
    return std::nullopt;
  } catch (const DecodeError& error) {
    return Error{error.code, error.detail};
  }
}

}  // namespace genai::wire
