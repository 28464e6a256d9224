// How waiting looks: bars that are redrawn in place on a terminal, a line per finished task
// elsewhere.
#pragma once

#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <unordered_map>

#include "genai/client.h"

namespace genai::ctl {

class Progress {
 public:
  enum class Style { kBars, kLines, kQuiet };

  /// Writes to stderr. `labels` names the tasks by id.
  Progress(std::unordered_map<std::string, std::string> labels, Style style);
  ~Progress() { clear(); }

  void on_update(const client::TaskUpdate& update);
  void on_result(const client::TaskResult& result);
  /// A line among the bars.
  void say(const std::string& text);
  /// Draws what has changed, at most ten times a second unless `now`.
  void draw(bool now = false);

 private:
  void clear();

  std::unordered_map<std::string, std::string> labels_;
  std::map<std::string, client::TaskUpdate> running_;
  std::size_t completed_ = 0, failed_ = 0;
  const Style style_;
  std::size_t drawn_lines_ = 0;
  bool changed_ = true;
  std::chrono::steady_clock::time_point drawn_at_{};
};

}  // namespace genai::ctl
