// MIME types of files: from their names, from their first bytes, and back to a suffix.
#pragma once

#include <string_view>

namespace genai {

inline constexpr std::string_view kUnknownType = "application/octet-stream";

/// Returns the type that belongs to the suffix of the name, or nothing if the suffix is not known.
std::string_view type_of_name(std::string_view name);
/// Returns the type of a format whose files begin in a way of their own (PNG, MP4, ...), or
/// nothing.
std::string_view type_of_magic(std::string_view data);
/// Guesses the type: by the name, else by the first bytes, else application/json or text/plain for
/// data that is one, else kUnknownType.
std::string_view guess_type(std::string_view name, std::string_view data);
/// Returns the usual suffix of files of this type, with its dot; nothing for a type that is not
/// known. Parameters of the type ("; charset=utf-8") and the case of its letters do not matter.
std::string_view suffix_of_type(std::string_view content_type);

}  // namespace genai
