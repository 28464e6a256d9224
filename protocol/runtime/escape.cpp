#include "protocol/runtime/escape.h"

#include <fmt/format.h>
#include <utf8cpp/utf8.h>

#include <cstdint>
#include <iterator>

namespace genai::runtime {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// What a terminal or a pager acts on instead of showing it.
bool acts_on_terminal(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x061C || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

void append_code_point(std::string& out, std::string_view bytes, std::uint32_t c, EscapeFor where) {
  if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (c == '\\') {
    out += "\\\\";
  } else if (c == '"' && where == EscapeFor::kQuoted) {
    out += "\\\"";
  } else if (acts_on_terminal(c)) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
  } else {
    out += bytes;
  }
}

// The last position not after `at` (within `text`) where no character is cut in two.
std::size_t start_of_character(std::string_view text, std::size_t at) {
  constexpr std::size_t kLongestCharacter = 4;
  for (std::size_t back = 0; back < kLongestCharacter && back <= at; ++back) {
    if ((static_cast<unsigned char>(text[at - back]) & 0xC0) != 0x80) return at - back;
  }
  return at;
}

}  // namespace

void append_escaped(std::string& out, std::string_view text, EscapeFor where) {
  const bool cut = text.size() > kMaxPrintedTextBytes;
  if (cut) text = text.substr(0, start_of_character(text, kMaxPrintedTextBytes));
  auto it = text.begin();
  while (it != text.end()) {
    const auto invalid = utf8::find_invalid(it, text.end());
    while (it != invalid) {
      const auto start = it;
      const std::uint32_t c = utf8::unchecked::next(it);
      append_code_point(out, std::string_view(start, it), c, where);
    }
    if (it != text.end()) {
      out += kReplacement;
      ++it;
    }
  }
  if (cut) out += "...";
}

std::string escaped(std::string_view text, EscapeFor where) {
  std::string out;
  append_escaped(out, text, where);
  return out;
}

}  // namespace genai::runtime
