// Bytes that never change and have several owners: a payload inside the frame that brought it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace genai {

/// A copy is cheap: it copies no bytes, only a reference count. Different threads may use different
/// copies at the same time, as with std::shared_ptr.
class Blob {
 public:
  Blob() = default;
  /// Takes the bytes of the string without copying them.
  explicit Blob(std::string bytes) : size_(bytes.size()) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    const char* const data = owner->data();
    data_ = std::shared_ptr<const char>(std::move(owner), data);
  }
  /// Shares bytes that `owner` keeps alive and unchanged.
  Blob(std::shared_ptr<const void> owner, std::string_view view)
      : data_(std::move(owner), view.data()), size_(view.size()) {}

  std::string_view view() const { return {data_.get(), size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Returns a part of these bytes, with the same owner. `part` must lie inside view().
  Blob sub(std::string_view part) const { return Blob(data_, part); }
  /// Returns a copy with its own memory, so that a small part does not keep a large frame alive.
  Blob detached() const {
    if (empty()) return {};
    auto owner = std::make_shared_for_overwrite<char[]>(size());
    view().copy(owner.get(), size());
    const std::string_view copy(owner.get(), size());
    return Blob(std::move(owner), copy);
  }

  friend bool operator==(const Blob& a, const Blob& b) { return a.view() == b.view(); }

 private:
  std::shared_ptr<const char> data_;  // owns more than it points to
  std::size_t size_ = 0;
};

}  // namespace genai
