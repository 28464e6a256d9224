#include "tools/ctl/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "tools/ctl/format.h"
#include "tools/ctl/session.h"

namespace genai::ctl {
namespace {

constexpr std::size_t kMaxRunningLines = 12;
constexpr auto kRedraw = std::chrono::milliseconds(100);

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
  return size.ws_col;
}

}  // namespace

Progress::Progress(std::unordered_map<std::string, std::string> labels, Style style)
    : labels_(std::move(labels)), style_(style) {}

void Progress::on_update(const client::TaskUpdate& update) {
  if (update.status == client::Status::kSent)
    running_[update.id] = update;
  else
    running_.erase(update.id);
  changed_ = true;
}

void Progress::on_result(const client::TaskResult& result) {
  running_.erase(result.id);
  const bool done = result.status == client::Status::kCompleted;
  ++(done ? completed_ : failed_);
  changed_ = true;
  if (style_ == Style::kQuiet || (style_ == Style::kBars && done)) return;
  const std::string what =
      done ? fmt::format("on {} in {}", cell(result.node_id, 40), duration_text(result.total_ms))
           : fmt::format("{}: {}", name(result.code), cell(result.error, 300));
  say(fmt::format("{} {} ({}/{}) {}: {}", result.id, name(result.status), completed_ + failed_,
                  labels_.size(), cell(labels_[result.id], 60), what));
}

void Progress::say(const std::string& text) {
  clear();
  tell(text + "\n");
  changed_ = true;
}

void Progress::clear() {
  if (drawn_lines_ > 0) tell(fmt::format("\033[{}F\033[J", drawn_lines_));
  drawn_lines_ = 0;
}

void Progress::draw(bool now) {
  const auto time = std::chrono::steady_clock::now();
  if (style_ != Style::kBars || !changed_ || (!now && time - drawn_at_ < kRedraw)) return;
  drawn_at_ = time;
  changed_ = false;
  clear();
  const std::size_t width = terminal_width() - 1, total = labels_.size();
  const std::size_t done = completed_ + failed_;
  std::string lines =
      cell(fmt::format("[{}] {}/{} done{}, {} running",
                       bar(static_cast<double>(done) / static_cast<double>(total), 30), done, total,
                       failed_ ? fmt::format(" ({} not completed)", failed_) : "", running_.size()),
           width) +
      "\n";
  drawn_lines_ = 1;
  for (const auto& [id, update] : running_) {
    if (drawn_lines_ > kMaxRunningLines) break;
    lines += cell(fmt::format("  [{}] {:3.0f} % {}: {} {}", bar(update.fraction, 20),
                              update.fraction * 100, update.node_id, labels_[id], update.text),
                  width) +
             "\n";
    ++drawn_lines_;
  }
  tell(lines);
}

}  // namespace genai::ctl
