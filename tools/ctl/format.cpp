#include "tools/ctl/format.h"

#include <fmt/format.h>
#include <utf8cpp/utf8.h>

#include <algorithm>
#include <clocale>
#include <cwchar>

#include "protocol/runtime/escape.h"

namespace genai::ctl {

namespace {

/// What the C library says of one character, whatever the user's locale is.
std::size_t columns_of(std::uint32_t character) {
  static const locale_t utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  const locale_t before = uselocale(utf8_locale);
  const int width = wcwidth(static_cast<wchar_t>(character));
  uselocale(before);
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

}  // namespace

std::size_t columns(const std::string& text) {
  std::size_t sum = 0;
  for (auto it = text.begin(); it != text.end();) sum += columns_of(utf8::next(it, text.end()));
  return sum;
}

std::string clip(std::string text, std::size_t width) {
  if (columns(text) <= width) return text;
  std::size_t room = width == 0 ? 0 : width - 1;  // beside the ellipsis
  auto end = text.begin();
  for (auto it = end; it != text.end(); end = it) {
    const std::size_t wide = columns_of(utf8::next(it, text.end()));
    if (wide > room) break;
    room -= wide;
  }
  text.erase(end, text.end());
  return width == 0 ? text : text + "…";
}

std::string cell(const std::string& text, std::size_t width) {
  return clip(runtime::escaped(text), width);
}

std::vector<std::string> table_lines(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - columns(row[i]) + 2, ' ');
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string bar(double fraction, std::size_t width) {
  const double clamped = fraction > 0 ? std::min(fraction, 1.0) : 0;  // 0 for NaN too
  const auto full = static_cast<std::size_t>(clamped * static_cast<double>(width) + 0.5);
  return std::string(full, '#') + std::string(width - full, '-');
}

std::string duration_text(std::uint64_t ms) {
  const std::uint64_t s = ms / 1000, m = s / 60, h = m / 60;
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (s < 60) return fmt::format("{}.{} s", s, ms % 1000 / 100);
  if (m < 60) return fmt::format("{} m {:02} s", m, s % 60);
  if (h < 24) return fmt::format("{} h {:02} m", h, m % 60);
  return fmt::format("{} d {:02} h", h / 24, h % 24);
}

}  // namespace genai::ctl
