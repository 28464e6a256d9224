#include "protocol/base/text.h"

#include <utf8cpp/utf8.h>

#include <algorithm>
#include <iterator>

namespace genai {

bool is_valid_utf8(std::string_view bytes) {
  const auto is_ascii = [](char c) { return static_cast<signed char>(c) >= 0; };
  // Nearly always all of it.
  const auto other = std::find_if_not(bytes.begin(), bytes.end(), is_ascii);
  return utf8::is_valid(other, bytes.end());
}

std::string clip_text(std::string_view text, std::size_t max_bytes) {
  std::string valid;
  valid.reserve(text.size());
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(valid));
  if (valid.size() <= max_bytes) return valid;
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(valid[end]) & 0xc0) == 0x80) --end;
  return valid.substr(0, end);  // with no more room than it takes: it may be kept
}

std::string clip_text_tail(std::string_view text, std::size_t max_bytes) {
  std::string valid;
  if (text.size() > 2 * max_bytes) text.remove_prefix(text.size() - 2 * max_bytes);
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(valid));
  if (valid.size() <= max_bytes) return valid;
  std::size_t begin = valid.size() - max_bytes;
  while (begin < valid.size() && (static_cast<unsigned char>(valid[begin]) & 0xc0) == 0x80) ++begin;
  return valid.substr(begin);
}

}  // namespace genai
