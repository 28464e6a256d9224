// Makes text from peers, files and command lines safe to print on one line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace genai::runtime {

/// A longer text is cut before it is printed, and ends in "...".
inline constexpr std::size_t kMaxPrintedTextBytes = 4096;

enum class EscapeFor {
  kPlain,   // among other words; '"' does not change
  kQuoted,  // the inside of a JSON string
};

/// Appends `text` to `out` as valid UTF-8 on one line. Control characters, line separators and
/// direction overrides become JSON escapes, a backslash is doubled, invalid bytes become U+FFFD. So
/// no text of a peer can move the cursor, forge a line or break a JSON string.
void append_escaped(std::string& out, std::string_view text, EscapeFor where);

/// The same, into a new string.
std::string escaped(std::string_view text, EscapeFor where = EscapeFor::kPlain);

}  // namespace genai::runtime
