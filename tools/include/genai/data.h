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

/// Bytes that never change and that several owners share. To copy a Data copies no bytes. The bytes
/// live as long as any copy of the Data. Different threads may use different copies at once.
class Data {
 public:
  Data() = default;
  /// Takes the bytes of a string. A string that is moved in is not copied.
  Data(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  Data(std::string_view bytes) : Data(std::string(bytes)) {}
  Data(const char* text) : Data(std::string(text)) {}
  /// Shares bytes that `owner` keeps alive and unchanged: a mapped file, for example. Copies
  /// nothing.
  Data(std::shared_ptr<const void> owner, std::string_view bytes)
      : owner_(std::move(owner)), view_(bytes) {}

  const char* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  std::string_view view() const { return view_; }
  operator std::string_view() const { return view_; }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(view_)); }
  /// Returns a copy of the bytes.
  std::string str() const { return std::string(view_); }
  /// Returns the object that keeps the bytes alive.
  const std::shared_ptr<const void>& owner() const { return owner_; }

  friend bool operator==(const Data& a, const Data& b) { return a.view_ == b.view_; }
  friend std::ostream& operator<<(std::ostream& out, const Data& data) { return out << data.view_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace genai
