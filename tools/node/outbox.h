// Messages on their way out, in strict order: neighbours of one kind become one frame.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/base/limits.h"
#include "protocol/wire/node.h"

namespace genai::node {

class Outbox {
 public:
  void put(FromNode message) { messages_.push_back({std::move(message), SIZE_MAX}); }

  /// An entry of a list message M; `bytes` is about what it will take.
  template <class M>
  void put_entry(typename M::Entry entry, std::size_t bytes = kSmallEntryBytes) {
    if (!fits<M>(bytes)) messages_.push_back({M{}, 0});
    messages_.back().bytes += bytes;
    std::get<M>(messages_.back().message).entries.push_back(std::move(entry));
  }

  /// Forgets what has not been taken.
  void clear() { messages_.clear(); }

  /// The frames of all that was put, in order.
  std::vector<std::string> take() {
    std::vector<std::string> frames;
    for (const Open& open : messages_) frames.push_back(encode(open.message));
    messages_.clear();
    return frames;
  }

 private:
  static constexpr std::size_t kSmallEntryBytes = 128;

  struct Open {
    FromNode message;
    std::size_t bytes;
  };

  template <class M>
  bool fits(std::size_t bytes) const {
    if (messages_.empty()) return false;
    const Open& last = messages_.back();
    const auto* list = std::get_if<M>(&last.message);
    return list && list->entries.size() < limits::kMaxBatchEntries &&
           last.bytes + bytes <= limits::kBatchTargetBytes;
  }

  std::vector<Open> messages_;
};

}  // namespace genai::node
