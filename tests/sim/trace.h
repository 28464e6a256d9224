// What happened, line by line, for people to read: printed at once, or the latest lines are kept
// (while a failing seed is run again).
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <deque>
#include <string>

#include "protocol/base/time.h"

namespace genai::sim {

class Trace {
 public:
  static constexpr std::size_t kMaxLines = 400;

  enum class Mode { kOff, kKeep, kPrint };

  explicit Trace(Mode mode) : mode_(mode) {}
  bool on() const { return mode_ != Mode::kOff; }
  template <class... Args>
  void line(Duration at, fmt::format_string<Args...> text, Args&&... args) {
    if (!on()) return;
    std::string line = fmt::format("{:10.4f}s  {}", static_cast<double>(at.count()) / 1e6,
                                   fmt::format(text, std::forward<Args>(args)...));
    if (mode_ == Mode::kPrint) return fmt::print("{}\n", line);
    if (lines_.size() == kMaxLines) lines_.pop_front();
    lines_.push_back(std::move(line));
  }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  Mode mode_;
  std::deque<std::string> lines_;
};

}  // namespace genai::sim
