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
  explicit Blob(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  /// Shares bytes that `owner` keeps alive and unchanged.
  Blob(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  /// Returns a part of these bytes, with the same owner. `part` must lie inside view().
  Blob sub(std::string_view part) const { return Blob(owner_, part); }
  /// Returns a copy with its own memory, so that a small part does not keep a large frame alive.
  Blob detached() const {
    if (empty()) return {};
    auto owner = std::make_shared_for_overwrite<char[]>(size());
    view_.copy(owner.get(), size());
    const std::string_view copy(owner.get(), size());
    return Blob(std::move(owner), copy);
  }

  friend bool operator==(const Blob& a, const Blob& b) { return a.view_ == b.view_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace genai
