// Makes a text from outside safe for a message or a screen.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/base/limits.h"

namespace genai {

bool is_valid_utf8(std::string_view bytes);

/// Returns at most `max_bytes` bytes of valid UTF-8. Invalid sequences become U+FFFD. A cut never
/// splits a character.
std::string clip_text(std::string_view text, std::size_t max_bytes = limits::kMaxTextBytes);

/// The same for the last `max_bytes` bytes: the end of an error output is its important part.
std::string clip_text_tail(std::string_view text, std::size_t max_bytes = limits::kMaxTextBytes);

}  // namespace genai
