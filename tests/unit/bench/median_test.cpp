#include "tools/bench/median.h"

#include <catch2/catch.hpp>
#include <cmath>

using genai::bench::median;

TEST_CASE("the median is the middle one, in whatever order they came") {
  CHECK(median({7}) == 7);
  CHECK(median({9, 1, 5}) == 5);
  CHECK(median({1000, 2, 1, 3, -1000}) == 2);
}

TEST_CASE("of an even count the median is between the two in the middle") {
  CHECK(median({1, 2}) == 1.5);
  CHECK(median({100, 4, 2, 1}) == 3);
}

TEST_CASE("without a figure for each repeat there is no median") {
  CHECK(std::isnan(median({})));
  CHECK(std::isnan(median({1, std::nan(""), 2})));
}
