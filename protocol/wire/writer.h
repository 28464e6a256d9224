// The archive that writes fields as msgpack.
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/base/blob.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"
#include "protocol/base/value.h"
#include "protocol/wire/packer.h"
#include "protocol/wire/public_meta.h"
#include "protocol/wire/shape.h"
#include "protocol/wire/task_spec.h"

namespace genai::wire {

void pack_value(Packer& packer, const Value& value);
void pack_map(Packer& packer, const ValueMap& map);

template <class T>
std::uint32_t fields_to_send(T& value);

class Writer {
 public:
  /// Writes the next `count` fields. The head of the array is already written.
  Writer(Packer& packer, std::uint32_t count) : packer_(packer), left_(count) {}

  /// Writes `value` as an array: first the numbers `head`, then its fields.
  template <class T, class... Head>
  static void array(Packer& packer, T& value, Head... head) {
    const std::uint32_t count = fields_to_send(value);
    packer.pack_array(count + std::uint32_t{sizeof...(Head)});
    (packer.pack(std::uint64_t{head}), ...);
    Writer inner(packer, count);
    value.fields(inner);
  }

  void optional() {}
  void appended() {}

  template <class Tag>
  void id(const char*, const TextId<Tag>& id) {
    if (is_next()) packer_.pack(id.view());
  }
  template <class Tag>
  void id(const char*, const BinaryId<Tag>& id) {
    if (is_next()) packer_.pack_bin(id.view());
  }
  template <class Int>
  void uint(const char*, Int value, std::uint64_t = 0, std::uint64_t = UINT64_MAX) {
    if (is_next()) packer_.pack(static_cast<std::uint64_t>(value));
  }
  void real(const char*, double value, double, double) {
    if (is_next()) packer_.pack(value);
  }
  void flag(const char*, bool value) {
    if (is_next()) packer_.pack(value);
  }
  void text(const char* field, const std::string& text, std::size_t max) {
    if (!is_next()) return;
    check(field, text.size(), max);
    packer_.pack(text);
  }
  void bin(const char* field, const Blob& blob, std::size_t max) {
    if (!is_next()) return;
    check(field, blob.size(), max);
    packer_.pack_bin(blob.view());
  }
  void code(const char*, ErrorCode code) {
    if (is_next()) packer_.pack(static_cast<std::uint64_t>(code));
  }
  template <class E>
  void enumerated(const char*, E value, std::uint8_t) {
    if (is_next()) packer_.pack(static_cast<std::uint64_t>(value));
  }
  void map(const char*, const ValueMap& map, std::size_t) {
    if (is_next()) pack_map(packer_, map);
  }
  void spec(const char*, const TaskSpec& spec) {
    if (is_next()) pack_spec(spec);
  }
  void new_spec(const char* field, const TaskSpec& spec) { this->spec(field, spec); }
  void meta(const char*, const PublicMetaInfo& meta) {
    if (is_next()) pack_meta(meta);
  }
  template <class T>
  void nested(const char*, T& value) {
    if (is_next()) element(value);
  }
  template <class T>
  void list(const char* field, std::vector<T>& values, std::size_t, std::size_t max) {
    if (!is_next()) return;
    check(field, values.size(), max);
    packer_.pack_array(static_cast<std::uint32_t>(values.size()));
    for (T& value : values) element(value);
  }

 private:
  void element(std::string& text) { packer_.pack(text); }
  void element(TaskId& id) { packer_.pack(id.view()); }
  void element(ValueMap& map) { pack_map(packer_, map); }
  /// Writes one of several structs. Its number stands before its fields.
  template <class... Ts>
  void element(std::variant<Ts...>& one) {
    std::visit([&](auto& value) { array(packer_, value, std::uint64_t{one.index()}); }, one);
  }
  template <class T>
  void element(T& value) {
    array(packer_, value);
  }

  /// Returns whether to write the field. Only appended fields are left out, all of them at the end.
  bool is_next() {
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  void pack_spec(const TaskSpec& spec);
  void pack_meta(const PublicMetaInfo& meta);
  static void check(const char* field, std::size_t size, std::size_t max) {
    if (size > max) throw std::length_error(std::string("encode: over the limit: ") + field);
  }

  Packer& packer_;
  std::uint32_t left_;
};

/// The archive that writes each appended field alone, to compare it with its default.
class Appended {
 public:
#define GENAI_TELL(kind)                                 \
  template <class... Args>                               \
  void kind(Args&&... args) {                            \
    if (!is_reached_) return;                            \
    StringSink sink;                                     \
    Packer packer(sink);                                 \
    Writer(packer, 1).kind(std::forward<Args>(args)...); \
    values_.push_back(sink.take());                      \
  }
  GENAI_FIELD_KINDS(GENAI_TELL)
#undef GENAI_TELL
  void optional() {}
  void appended() { is_reached_ = true; }

  template <class T>
  static std::vector<std::string> of(T& value) {
    Appended archive;
    value.fields(archive);
    return std::move(archive.values_);
  }

 private:
  bool is_reached_ = false;
  std::vector<std::string> values_;
};

/// Returns how many fields to write: all fields of the first release, and the appended ones up to
/// the last one that does not have its default.
template <class T>
std::uint32_t fields_to_send(T& value) {
  const Shape& shape = shape_of<T>();
  if (shape.known == shape.first) return shape.known;
  static const std::vector<std::string> defaults = [] {
    T made;
    return Appended::of(made);
  }();
  const std::vector<std::string> values = Appended::of(value);
  std::size_t sent = values.size();
  while (sent > 0 && values[sent - 1] == defaults[sent - 1]) --sent;
  return shape.first + static_cast<std::uint32_t>(sent);
}

}  // namespace genai::wire
