#include "tools/bench/trip_figures.h"

#include "tools/bench/median.h"

namespace genai::bench {

TripFigures median_of(const std::vector<TripFigures>& repeats) {
  const auto of = [&](double TripFigures::*figure) {
    std::vector<double> values;
    for (const TripFigures& one : repeats) values.push_back(one.*figure);
    return median(std::move(values));
  };
  return {of(&TripFigures::tasks_per_s),
          of(&TripFigures::against_raw),
          of(&TripFigures::p50_us),
          of(&TripFigures::p99_us),
          of(&TripFigures::p999_us),
          of(&TripFigures::broker_us),
          of(&TripFigures::dispatcher_us),
          of(&TripFigures::broker_rss_mib),
          of(&TripFigures::dispatcher_rss_mib)};
}

}  // namespace genai::bench
