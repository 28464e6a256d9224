// The bytes of a payload or of a result, shared instead of copied.
#pragma once

#include <cstddef>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace genai {

/// Immutable bytes with shared ownership. A copy of a Data copies no byte, and the bytes live as
/// long as any copy does. Different copies may be used by different threads.
class Data {
 public:
  Data() = default;
  /// Takes the bytes over. A string that is moved in is not copied.
  Data(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  Data(std::string_view bytes) : Data(std::string(bytes)) {}
  Data(const char* text) : Data(std::string(text)) {}
  /// Bytes that `owner` keeps alive and unchanged, such as a mapped file. Copies nothing.
  Data(std::shared_ptr<const void> owner, std::string_view bytes)
      : owner_(std::move(owner)), view_(bytes) {}

  const char* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  std::string_view view() const { return view_; }
  operator std::string_view() const { return view_; }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(view_)); }
  /// A copy of the bytes.
  std::string str() const { return std::string(view_); }
  /// What keeps the bytes alive.
  const std::shared_ptr<const void>& owner() const { return owner_; }

  friend bool operator==(const Data& a, const Data& b) { return a.view_ == b.view_; }
  friend std::ostream& operator<<(std::ostream& out, const Data& data) { return out << data.view_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace genai
