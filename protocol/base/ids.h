// Ids, with one type for each kind. A text id is 1 to limits::kMaxIdBytes bytes of [A-Za-z0-9._:-].
// A binary id is 16 random bytes and a secret of its owner: logs print only its short form.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/hex.h"
#include "protocol/base/limits.h"

namespace genai {

/// Returns whether `text` has the form of a text id.
bool is_valid_id(std::string_view text);

/// `Tag` only makes the types different. The text is stored inside the object: a task needs so many
/// copies of ids that an allocation for each was a large part of its cost.
template <class Tag>
class TextId {
 public:
  TextId() = default;  // empty: "no id"; it must not be sent

  /// Returns nothing if the text has the wrong form.
  static std::optional<TextId> parse(std::string_view text) {
    if (!is_valid_id(text)) return std::nullopt;
    TextId id;
    text.copy(id.text_.data(), text.size());
    id.size_ = static_cast<std::uint8_t>(text.size());
    return id;
  }

  /// The view is valid until this object changes, moves or ends.
  std::string_view view() const { return {text_.data(), size_}; }
  std::string str() const { return std::string(view()); }
  bool empty() const { return size_ == 0; }
  friend bool operator==(const TextId& a, const TextId& b) { return a.view() == b.view(); }
  friend auto operator<=>(const TextId& a, const TextId& b) { return a.view() <=> b.view(); }

 private:
  std::array<char, limits::kMaxIdBytes> text_{};
  std::uint8_t size_ = 0;
};

template <class Tag>
class BinaryId {
 public:
  static constexpr std::size_t kBytes = 16;
  using Bytes = std::array<std::uint8_t, kBytes>;

  BinaryId() = default;  // all zero: "no id"
  explicit BinaryId(const Bytes& bytes) : bytes_(bytes) {}
  static std::optional<BinaryId> parse(std::string_view bytes) {
    if (bytes.size() != kBytes) return std::nullopt;
    BinaryId id;
    for (std::size_t i = 0; i < kBytes; ++i) id.bytes_[i] = static_cast<std::uint8_t>(bytes[i]);
    return id;
  }

  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  /// Returns the first 4 bytes in hex: enough to tell sessions apart, useless to attackers.
  std::string short_hex() const { return hex(view().substr(0, 4)); }
  friend auto operator<=>(const BinaryId&, const BinaryId&) = default;

 private:
  Bytes bytes_{};
};

using TaskId = TextId<struct TaskTag>;
using NodeId = TextId<struct NodeTag>;
using SessionId = BinaryId<struct SessionTag>;    // one life of a node process
using InstanceId = BinaryId<struct InstanceTag>;  // one life of a broker or dispatcher process

/// Makes a UUIDv7 (RFC 9562, section 5.7) as a text of 36 characters: 48 bits of Unix milliseconds,
/// then 74 of the `random` bits. Pure: the caller gives the time and the random bits.
TaskId uuid7(std::uint64_t unix_ms, const std::array<std::uint8_t, 10>& random);

}  // namespace genai

template <class Tag>
struct std::hash<genai::TextId<Tag>> {
  std::size_t operator()(const genai::TextId<Tag>& id) const {
    return std::hash<std::string_view>{}(id.view());
  }
};
/// The bytes are random already: it is enough to mix them.
template <class Tag>
struct std::hash<genai::BinaryId<Tag>> {
  std::size_t operator()(const genai::BinaryId<Tag>& id) const {
    std::uint64_t halves[2];
    std::memcpy(halves, id.view().data(), sizeof halves);
    const std::uint64_t mixed = (halves[0] ^ (halves[1] << 1)) * 0x9e3779b97f4a7c15;
    return mixed ^ (mixed >> 32);
  }
};
