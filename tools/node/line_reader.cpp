#include "tools/node/line_reader.h"

#include <charconv>

#include "protocol/base/text.h"

namespace genai::node {

void Tail::add(std::string_view bytes) {
  bytes_ += bytes;
  if (bytes_.size() > 4 * kMaxTailBytes) bytes_.erase(0, bytes_.size() - 2 * kMaxTailBytes);
}

std::string Tail::text() const {
  std::string_view rest = bytes_;
  while (!rest.empty() && (rest.back() == '\n' || rest.back() == '\r')) rest.remove_suffix(1);
  std::size_t begin = rest.size();
  for (std::size_t lines = 0; begin > 0 && lines < kMaxTailLines; ++lines) {
    const std::size_t newline = rest.rfind('\n', begin - 1);
    if (newline == std::string_view::npos) {
      begin = 0;
    } else if (lines + 1 == kMaxTailLines) {
      return clip_text_tail(rest.substr(newline + 1), kMaxTailBytes);
    } else {
      begin = newline;
    }
  }
  return clip_text_tail(rest, kMaxTailBytes);
}

std::optional<ProgressLine> parse_progress(std::string_view line) {
  ProgressLine progress{0, {}};
  const char* end = line.data() + line.size();
  const auto [rest, error] = std::from_chars(line.data(), end, progress.fraction);
  if (error != std::errc() || !(progress.fraction >= 0 && progress.fraction <= 1))
    return std::nullopt;
  if (rest == end) return progress;
  if (*rest != ' ' && *rest != '\t') return std::nullopt;
  const std::size_t used = static_cast<std::size_t>(rest - line.data());
  progress.text = clip_text(line.substr(used + 1));
  return progress;
}

std::optional<std::uint64_t> parse_load_ms(std::string_view line) {
  constexpr std::string_view kKey = "load_ms ";
  if (!line.starts_with(kKey)) return std::nullopt;
  line.remove_prefix(kKey.size());
  std::uint64_t ms = 0;
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), ms);
  if (error != std::errc() || rest != line.data() + line.size()) return std::nullopt;
  return ms;
}

std::optional<std::string> parse_loaded(std::string_view line) {
  constexpr std::string_view kKey = "loaded ";
  if (!line.starts_with(kKey) || line.size() == kKey.size()) return std::nullopt;
  return std::string(line.substr(kKey.size()));
}

std::optional<std::string> parse_impossible(std::string_view line) {
  constexpr std::string_view kKey = "impossible";
  if (line == kKey) return "the program said that no attempt can succeed";
  if (!line.starts_with(kKey) || line[kKey.size()] != ' ') return std::nullopt;
  return clip_text(line.substr(kKey.size() + 1));
}

}  // namespace genai::node
