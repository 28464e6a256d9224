#include "tools/ctl/format.h"

#include <fmt/format.h>
#include <utf8cpp/utf8.h>

#include <algorithm>

#include "protocol/process/escape.h"

namespace genai::ctl {

std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(utf8::distance(text.begin(), text.end()));
}

std::string cell(const std::string& text, std::size_t width) {
  std::string safe = process::escaped(text);
  if (columns(safe) <= width) return safe;
  auto end = safe.begin();
  utf8::advance(end, static_cast<std::ptrdiff_t>(width == 0 ? 0 : width - 1), safe.end());
  safe.erase(end, safe.end());
  return width == 0 ? safe : safe + "…";
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
  const double clamped = std::clamp(fraction, 0.0, 1.0);
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
