#include "protocol/wire/encoded_size.h"

#include "protocol/base/overloaded.h"

namespace genai::wire {
namespace {

std::size_t negative_size(std::int64_t value) {
  if (value >= -32) return 1;
  if (value >= INT8_MIN) return 2;
  if (value >= INT16_MIN) return 3;
  return value >= INT32_MIN ? 5 : 9;
}

std::size_t bytes_size(std::size_t bytes) {
  const std::size_t head = bytes <= UINT8_MAX ? 2 : bytes <= UINT16_MAX ? 3 : 5;
  return head + bytes;
}

std::size_t list_size(const ValueList& list) {
  std::size_t bytes = head_size(list.size());
  for (const Value& value : list) bytes += encoded_size(value);
  return bytes;
}

}  // namespace

std::size_t uint_size(std::uint64_t value) {
  if (value < 128) return 1;
  if (value <= UINT8_MAX) return 2;
  if (value <= UINT16_MAX) return 3;
  return value <= UINT32_MAX ? 5 : 9;
}

std::size_t head_size(std::size_t entries) {
  if (entries < 16) return 1;
  return entries <= UINT16_MAX ? 3 : 5;
}

std::size_t text_size(std::string_view text) {
  return text.size() < 32 ? 1 + text.size() : bytes_size(text.size());
}

std::size_t encoded_size(const Value& value) {
  return std::visit(
      Overloaded{[](std::monostate) { return std::size_t{1}; }, [](bool) { return std::size_t{1}; },
                 [](std::int64_t i) {
                   return i < 0 ? negative_size(i) : uint_size(static_cast<std::uint64_t>(i));
                 },
                 [](std::uint64_t i) { return uint_size(i); }, [](double) { return kFloatSize; },
                 [](const std::string& text) { return text_size(text); },
                 [](const Bytes& bytes) { return bytes_size(bytes.data.size()); },
                 [](const ValueList& list) { return list_size(list); },
                 [](const ValueMap& map) { return encoded_size(map); }},
      value.v);
}

std::size_t encoded_size(const ValueMap& map) {
  std::size_t bytes = head_size(map.size());
  for (const auto& [key, value] : map) bytes += text_size(key) + encoded_size(value);
  return bytes;
}

}  // namespace genai::wire
