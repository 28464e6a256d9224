#include "dispatcher/tasks/lateness.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace genai::dispatcher {

std::string span_text(Duration span) {
  constexpr std::array<std::pair<std::uint64_t, const char*>, 4> kUnits = {
      {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "min"}, {1000, "s"}}};
  std::uint64_t left = to_ms(span);
  std::string text;
  for (const auto& [unit, name] : kUnits) {
    const std::uint64_t count = left / unit;
    left %= unit;
    const bool is_second = !text.empty();
    if (count != 0) text += fmt::format("{}{} {}", is_second ? " " : "", count, name);
    if (is_second) return text;
  }
  return text.empty() ? fmt::format("{} ms", left) : text;
}

std::string lateness(const Task& task, Duration not_before, const msg::Estimate& estimate,
                     const Now& now) {
  const Duration left = task.expires_at - now.mono;
  const bool by_deadline = task.has_near_deadline;
  if (left <= Duration{0})
    return fmt::format("its {} has passed", by_deadline ? "deadline" : "ttl");
  const bool starts_late = not_before >= task.expires_at;
  const Duration finish = from_ms(estimate.finish_p50_ms);
  if (!starts_late && finish <= left) return {};  // nearly always, so nothing was formatted yet
  return fmt::format("{} in {}, its {} in {}", starts_late ? "it may start" : "expected to end",
                     span_text(starts_late ? not_before - now.mono : finish),
                     by_deadline ? "deadline is" : "ttl ends", span_text(left));
}

}  // namespace genai::dispatcher
