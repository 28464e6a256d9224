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

/// At most `width` characters (not bytes) of escaped text; cut ones end in "…".
std::string cell(const std::string& text, std::size_t width);

/// How many terminal columns a UTF-8 text takes, one per character.
std::size_t columns(const std::string& text);

}  // namespace genai::ctl
