// Bounded views of a command's output: its last lines, and its progress lines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace genai::node {

/// Keeps the end of an error output.
class Tail {
 public:
  // Leaves room for the exit code in a text of 4 KiB.
  static constexpr std::size_t kMaxTailBytes = 4000;
  static constexpr std::size_t kMaxTailLines = 20;

  void add(std::string_view bytes);
  /// The last lines, as valid UTF-8 without a newline at the end.
  std::string text() const;

 private:
  std::string bytes_;
};

struct ProgressLine {
  double fraction;
  std::string text;
};

/// "0.35 some text": a number from 0 to 1, and perhaps a text. Nothing when it is not one.
std::optional<ProgressLine> parse_progress(std::string_view line);

/// "load_ms 12000": of the model, before this task could begin. Nothing when it is not one.
std::optional<std::uint64_t> parse_load_ms(std::string_view line);
/// "loaded NAME": a model that is in memory. Nothing when it is not one.
std::optional<std::string> parse_loaded(std::string_view line);

/// "impossible REASON": no attempt can succeed. Nothing when it is not one.
std::optional<std::string> parse_impossible(std::string_view line);

/// Cuts a stream into lines. An overlong line is dropped.
class LineSplitter {
 public:
  static constexpr std::size_t kMaxReportBytes = 8192;

  template <class OnLine>
  void add(std::string_view bytes, OnLine on_line) {
    for (const char c : bytes) {
      if (c != '\n') {
        if (line_.size() <= kMaxReportBytes) line_ += c;
        continue;
      }
      if (line_.size() <= kMaxReportBytes) on_line(std::string_view(line_));
      line_.clear();
    }
  }

 private:
  std::string line_;
};

}  // namespace genai::node
