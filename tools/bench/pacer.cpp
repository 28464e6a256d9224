#include "tools/bench/pacer.h"

#include <charconv>
#include <utility>

namespace genai::bench {

std::size_t Pacer::submit(std::size_t count, Duration now) {
  const std::size_t first = trips_.size();
  for (std::size_t i = first; i < first + count; ++i)
    trips_.push_back({begin_of(i, now), false, false});
  open_ += count;
  return first;
}

std::optional<Duration> Pacer::accepted(std::size_t number, Duration now) {
  if (number >= trips_.size()) return std::nullopt;
  Trip& trip = trips_[number];
  if (std::exchange(trip.accepted, true)) return std::nullopt;
  return now - trip.begin;
}

std::optional<Duration> Pacer::delivered(std::size_t number, Duration now) {
  if (number >= trips_.size()) return std::nullopt;
  Trip& trip = trips_[number];
  if (std::exchange(trip.delivered, true)) return std::nullopt;
  --open_;
  return now - trip.begin;
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
