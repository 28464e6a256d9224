// Immutable bytes with shared ownership: a payload read in place from the frame it came in.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace genai {

/// Copying is cheap (a reference count). Thread-safe as std::shared_ptr is: different copies may be
/// used by different threads; the bytes never change.
class Blob {
 public:
  Blob() = default;
  /// Takes the bytes over, without a copy of the content.
  explicit Blob(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  /// A view of bytes that `owner` keeps alive.
  Blob(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  /// A part of these bytes that shares their owner. `part` must lie inside view().
  Blob sub(std::string_view part) const { return Blob(owner_, part); }
  /// The same bytes in memory of their own, so that a small part does not keep a large frame alive.
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
