#include "tools/bench/window.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace genai::bench {

std::size_t Window::room() const {
  if (closed_) return 0;
  return std::min({batch_, size_ - open_, static_cast<std::size_t>(tasks_ - trips_.size())});
}

std::size_t Window::submit(std::size_t count, Duration now) {
  const std::size_t first = trips_.size();
  trips_.resize(first + count, Trip{now});
  open_ += count;
  return first;
}

std::optional<Duration> Window::accepted(std::size_t number, Duration now) {
  if (number >= trips_.size()) return std::nullopt;
  Trip& trip = trips_[number];
  if (std::exchange(trip.accepted, true)) return std::nullopt;
  return now - trip.submitted_at;
}

std::optional<Duration> Window::delivered(std::size_t number, Duration now) {
  if (number >= trips_.size()) return std::nullopt;
  Trip& trip = trips_[number];
  if (std::exchange(trip.delivered, true)) return std::nullopt;
  --open_;
  return now - trip.submitted_at;
}

std::optional<std::size_t> number_of(std::string_view task_id, std::string_view prefix) {
  if (!task_id.starts_with(prefix)) return std::nullopt;
  task_id.remove_prefix(prefix.size());
  if (!task_id.starts_with('-')) return std::nullopt;
  task_id.remove_prefix(1);
  std::size_t number = 0;
  const char* const end = task_id.data() + task_id.size();
  const auto [stop, error] = std::from_chars(task_id.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace genai::bench
