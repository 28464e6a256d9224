#include "tools/ctl/safe_name.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "protocol/runtime/escape.h"

namespace genai::ctl {
namespace {

constexpr std::size_t kMaxPartBytes = 255;  // of a name in a folder

/// How many bytes the character has that begins with this byte, of valid UTF-8.
std::size_t bytes_of_character(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

bool is_device(std::string_view part) {
  constexpr std::array<std::string_view, 6> kDevices = {"CON", "PRN", "AUX", "NUL", "COM", "LPT"};
  std::string stem(part.substr(0, part.find('.')));
  while (stem.ends_with(' ')) stem.pop_back();
  for (char& c : stem)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const bool has_number = stem.size() == 4 && stem[3] >= '0' && stem[3] <= '9';
  for (std::size_t i = 0; i < kDevices.size(); ++i)
    if (i < 4 ? stem == kDevices[i] : has_number && stem.starts_with(kDevices[i])) return true;
  return false;
}

std::string safe_part(std::string_view part) {
  std::string out;
  for (std::size_t at = 0; at < part.size();) {
    const std::string_view one = part.substr(at, bytes_of_character(part[at]));
    const bool is_special = std::string_view("<>:\"|?*").find(one) != std::string_view::npos;
    if (is_special || runtime::escaped(one) != one)
      out += '_';
    else
      out += one;
    at += one.size();
  }
  if (out.starts_with('.') || out.starts_with('-') || out.starts_with('~')) out[0] = '_';
  if (out.ends_with('.') || out.ends_with(' ')) out.back() = '_';
  if (!is_device(out)) return out;
  return '_' + out.substr(0, kMaxPartBytes - 1);
}

}  // namespace

std::string safe_name(std::string_view name) {
  std::string out;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    if (begin > 0) out += '/';
    out += safe_part(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::string numbered_name(const std::string& name, int number) {
  const std::size_t part = name.rfind('/') + 1;  // 0 without a '/'
  std::size_t dot = name.rfind('.');
  if (dot == name.npos || dot <= part) dot = name.size();
  const std::string mark = '-' + std::to_string(number), suffix = name.substr(dot);
  std::string stem = name.substr(part, dot - part);
  while (stem.size() > 1 && stem.size() + mark.size() + suffix.size() > kMaxPartBytes) {
    while ((static_cast<unsigned char>(stem.back()) & 0xc0) == 0x80) stem.pop_back();
    stem.pop_back();
  }
  return name.substr(0, part) + stem + mark + suffix;
}

}  // namespace genai::ctl
