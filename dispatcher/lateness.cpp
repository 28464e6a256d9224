#include "dispatcher/lateness.h"

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

std::string lateness(const Task& task, const msg::Estimate& estimate, const Now& now) {
  const Duration left = task.expires_at - now.mono;
  const bool by_deadline = task.deadline <= task.expires_at;
  const std::string limit =
      left <= Duration{0}
          ? fmt::format("its {} has passed", by_deadline ? "deadline" : "ttl")
          : fmt::format("its {} in {}", by_deadline ? "deadline is" : "ttl ends", span_text(left));
  if (left <= Duration{0}) return limit;
  if (task.not_before >= task.expires_at)
    return fmt::format("it may start in {}, {}", span_text(task.not_before - now.mono), limit);
  const Duration finish = from_ms(estimate.finish_p50_ms);
  return finish <= left ? "" : fmt::format("expected to end in {}, {}", span_text(finish), limit);
}

}  // namespace genai::dispatcher
