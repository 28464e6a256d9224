#include "protocol/base/ids.h"

#include <algorithm>
#include <array>

namespace genai {

namespace {

// Every id of every message is looked at.
constexpr auto kIdCharacters = [] {
  std::array<bool, 256> table{};
  for (const char c :
       std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}();

}  // namespace

bool is_valid_id(std::string_view text) {
  if (text.empty() || text.size() > limits::kMaxIdBytes) return false;
  bool valid = true;
#pragma GCC unroll 8
  for (const char c : text) valid &= kIdCharacters[static_cast<unsigned char>(c)];
  return valid;
}

TaskId uuid7(std::uint64_t unix_ms, const std::array<std::uint8_t, 10>& random) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 6; ++i)
    bytes[i] = static_cast<std::uint8_t>(unix_ms >> (8 * (5 - i)));
  std::ranges::copy(random, bytes.begin() + 6);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x70);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);

  std::string text = hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (const std::size_t at : {20, 16, 12, 8}) text.insert(at, 1, '-');
  return *TaskId::parse(text);
}

}  // namespace genai
