// Text from peers, files and command lines made safe to print on one line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace genai::runtime {

/// Longer texts are cut before printing and end in "...".
inline constexpr std::size_t kMaxPrintedTextBytes = 4096;

enum class EscapeFor {
  kPlain,   // between other words; '"' stays as it is
  kQuoted,  // the inside of a JSON string
};

/// Appends `text` to `out` as valid UTF-8 on one line: control characters, line separators and
/// direction overrides become JSON escapes, a backslash is doubled, invalid bytes become U+FFFD.
/// Nothing that a peer sends can move the cursor, forge a line or break a JSON string.
void append_escaped(std::string& out, std::string_view text, EscapeFor where);

/// append_escaped into a new string.
std::string escaped(std::string_view text, EscapeFor where = EscapeFor::kPlain);

}  // namespace genai::runtime
