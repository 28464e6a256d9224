// A payload or a result of a task: its bytes, or only the knowledge of where they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "protocol/base/blob.h"
#include "protocol/base/check.h"

namespace genai::dispatcher {

/// By which a store finds data that stands apart.
using DataKey = std::uint64_t;

/// The keys of a task's data. A sequence is never used twice, so a key is not either.
constexpr DataKey payload_key(std::uint64_t sequence) { return 2 * sequence; }
constexpr DataKey result_key(std::uint64_t sequence) { return 2 * sequence + 1; }
constexpr std::uint64_t sequence_of(DataKey key) { return key / 2; }

/// A read of data that stands apart, which is to be done elsewhere.
struct ReadData {
  std::uint64_t number;  // its answer repeats it
  DataKey key;
  std::uint64_t offset, bytes;
};

/// Either in memory, or apart: large data that the store has, and that must be read before it can
/// be sent. A copy is cheap, as that of a Blob.
class Data {
 public:
  Data() = default;
  // Implicit: the bytes of a frame are data in memory.
  Data(Blob bytes) : bytes_(bytes.empty() ? Blob() : std::move(bytes)) {}
  /// `size` must not be 0.
  static Data apart(DataKey key, std::uint64_t size) {
    GENAI_CHECK(size > 0);
    auto place = std::make_shared<const Place>(Place{key, size});
    const char* const mark = reinterpret_cast<const char*>(place.get());
    Data data;
    data.bytes_ = Blob(std::move(place), {mark, 0});
    return data;
  }

  bool is_apart() const { return bytes_.empty() && bytes_.view().data() != nullptr; }
  bool empty() const { return size() == 0; }
  std::uint64_t size() const { return is_apart() ? place().size : bytes_.size(); }
  /// What it takes here.
  std::size_t memory() const { return bytes_.size(); }

  /// It must be in memory.
  const Blob& bytes() const {
    GENAI_CHECK(!is_apart());
    return bytes_;
  }
  std::string_view view() const { return bytes().view(); }
  /// It must be apart.
  DataKey key() const {
    GENAI_CHECK(is_apart());
    return place().key;
  }

  friend bool operator==(const Data& a, const Data& b) {
    if (a.is_apart() != b.is_apart()) return false;
    return a.is_apart() ? a.key() == b.key() && a.size() == b.size() : a.bytes_ == b.bytes_;
  }

 private:
  struct Place {
    DataKey key;
    std::uint64_t size;
  };
  const Place& place() const { return *reinterpret_cast<const Place*>(bytes_.view().data()); }

  Blob bytes_;  // apart: none, at the address of the place, which it owns
};

}  // namespace genai::dispatcher
