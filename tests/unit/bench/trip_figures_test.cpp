#include "tools/bench/trip_figures.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace genai::bench;

TEST_CASE("each figure has a median of its own") {
  const double none = std::nan("");
  const TripFigures median = median_of({{1, 30, 5, 6, 7, 8, 9, 10, none},
                                        {2, 10, 5, 6, 7, 8, 9, 10, 1},
                                        {3, 20, 4, 6, 9, 0, 9, 11, 1}});
  CHECK(median.tasks_per_s == 2);
  CHECK(median.against_raw == 20);
  CHECK(median.p50_us == 5);
  CHECK(median.p99_us == 6);
  CHECK(median.p999_us == 7);
  CHECK(median.broker_us == 8);
  CHECK(median.dispatcher_us == 9);
  CHECK(median.broker_rss_mib == 10);
  CHECK(std::isnan(median.dispatcher_rss_mib));
}
