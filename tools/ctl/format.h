// Text for people: tables, bars, durations. Whatever a peer wrote is escaped first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace genai::ctl {

/// Columns as wide as their widest cell, the last one unpadded. The first row is the head.
std::vector<std::string> table_lines(const std::vector<std::vector<std::string>>& rows);

/// "#####-----" of `width` characters; `fraction` is clamped to 0..1.
std::string bar(double fraction, std::size_t width);

/// "350 ms", "12.3 s", "4 m 05 s", "3 h 07 m", "2 d 04 h".
std::string duration_text(std::uint64_t ms);

/// How many terminal columns a UTF-8 text takes: two for each wide character (CJK, emoji).
std::size_t columns(const std::string& text);

/// At most `width` columns of a text that is safe already; a cut one ends in "…".
std::string clip(std::string text, std::size_t width);

/// The same of any text, escaped first.
std::string cell(const std::string& text, std::size_t width);

}  // namespace genai::ctl
