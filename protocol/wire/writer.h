// The archive that writes fields as msgpack.
#pragma once

#include <algorithm>
#include <array>
#include <msgpack.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "protocol/wire/codec.h"
#include "protocol/wire/fields.h"

namespace genai::wire {

/// Most writes are of a few bytes, so they are gathered; content is appended as it is.
class StringSink {
 public:
  StringSink() {}  // leaves the room as it is: to fill it first would cost more than most messages
  void write(const char* data, std::size_t size) {
    if (size > kLarge) {
      flush();
      bytes_.append(data, size);
      return;
    }
    if (room_.size() - end_ < size) flush();
    std::copy_n(data, size, room_.data() + end_);  // of an empty text `data` may be null
    end_ += size;
  }
  std::string take() {
    flush();
    return std::exchange(bytes_, {});
  }

 private:
  static constexpr std::size_t kLarge = 1024;

  void flush() {
    bytes_.append(room_.data(), end_);
    end_ = 0;
  }

  std::string bytes_;
  std::array<char, 8 * kLarge> room_;
  std::size_t end_ = 0;
};
using Packer = msgpack::packer<StringSink>;

void pack_value(Packer& packer, const Value& value);
void pack_map(Packer& packer, const ValueMap& map);

/// Counts the fields of a struct: the arity of its array.
struct Counter {
  std::uint32_t count = 0;
#define GENAI_COUNT(method) \
  template <class... Args>  \
  void method(Args&&...) {  \
    ++count;                \
  }
  GENAI_COUNT(id)
  GENAI_COUNT(uint)
  GENAI_COUNT(real)
  GENAI_COUNT(flag)
  GENAI_COUNT(text)
  GENAI_COUNT(bin)
  GENAI_COUNT(code)
  GENAI_COUNT(enumerated)
  GENAI_COUNT(map)
  GENAI_COUNT(spec)
  GENAI_COUNT(new_spec)
  GENAI_COUNT(meta)
  GENAI_COUNT(nested)
  GENAI_COUNT(list)
#undef GENAI_COUNT
};

template <class T>
std::uint32_t arity() {
  static const std::uint32_t count = [] {
    T value;
    Counter counter;
    fields(counter, value);
    return counter.count;
  }();
  return count;
}

class Writer {
 public:
  explicit Writer(Packer& packer) : packer_(packer) {}

  template <class Tag>
  void id(const char*, const TextId<Tag>& id) {
    packer_.pack(id.view());
  }
  template <class Tag>
  void id(const char*, const BinaryId<Tag>& id) {
    pack_bin(id.view());
  }
  template <class Int>
  void uint(const char*, Int value, std::uint64_t = 0, std::uint64_t = UINT64_MAX) {
    packer_.pack(static_cast<std::uint64_t>(value));
  }
  void real(const char*, double value, double, double) { packer_.pack(value); }
  void flag(const char*, bool value) { packer_.pack(value); }
  void text(const char* field, const std::string& text, std::size_t max) {
    check(field, text.size(), max);
    packer_.pack(text);
  }
  void bin(const char* field, const Blob& blob, std::size_t max) {
    check(field, blob.size(), max);
    pack_bin(blob.view());
  }
  void code(const char*, ErrorCode code) { packer_.pack(static_cast<std::uint64_t>(code)); }
  template <class E>
  void enumerated(const char*, E value, std::uint8_t) {
    packer_.pack(static_cast<std::uint64_t>(value));
  }
  void map(const char*, const ValueMap& map, std::size_t) { pack_map(packer_, map); }
  void spec(const char*, const TaskSpec& spec);
  void new_spec(const char* field, const TaskSpec& spec) { this->spec(field, spec); }
  void meta(const char*, const PublicMetaInfo& meta);

  template <class T>
  void nested(const char*, T& value) {
    packer_.pack_array(arity<T>());
    fields(*this, value);
  }
  template <class T>
  void list(const char* field, std::vector<T>& values, std::size_t, std::size_t max) {
    check(field, values.size(), max);
    packer_.pack_array(static_cast<std::uint32_t>(values.size()));
    for (T& value : values) element(value);
  }

 private:
  void element(std::string& text) { packer_.pack(text); }
  void element(TaskId& id) { packer_.pack(id.view()); }
  void element(ValueMap& map) { pack_map(packer_, map); }
  void element(msg::Delta::Change& change) {
    std::visit(
        [&](auto& kind) {
          packer_.pack_array(arity<std::decay_t<decltype(kind)>>() + 1);
          packer_.pack(static_cast<std::uint64_t>(change.index()));
          fields(*this, kind);
        },
        change);
  }
  template <class T>
  void element(T& value) {
    nested("", value);
  }

  void pack_bin(std::string_view bytes) {
    packer_.pack_bin(static_cast<std::uint32_t>(bytes.size()));
    packer_.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
  }
  static void check(const char* field, std::size_t size, std::size_t max) {
    if (size > max) throw std::length_error(std::string("encode: over the limit: ") + field);
  }

  Packer& packer_;
};

}  // namespace genai::wire
