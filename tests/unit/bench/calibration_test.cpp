#include "tools/bench/calibration.h"

#include <catch2/catch.hpp>

using namespace genai;
using genai::bench::Calibration;

namespace {

msg::Estimate finishes_within(std::uint64_t p95_ms) {
  return {.start_p50_ms = 1, .start_p95_ms = 2, .finish_p50_ms = 3, .finish_p95_ms = p95_ms};
}

}  // namespace

TEST_CASE("an estimate is held when the task is delivered by its p95, counted from acceptance") {
  Calibration c;
  for (std::size_t task = 0; task < 4; ++task) c.accepted(task, finishes_within(50), from_ms(100));
  c.delivered(0, from_ms(110));
  CHECK(c.p95_held() == 1);
  c.delivered(1, from_ms(150));
  CHECK(c.p95_held() == 1);
  c.delivered(2, from_ms(151));
  c.delivered(3, from_ms(1000));
  CHECK(c.p95_held() == 0.5);
}

TEST_CASE("tasks without an estimate, and those not delivered, count for nothing") {
  Calibration c;
  c.accepted(0, {}, from_ms(100));
  c.accepted(1, finishes_within(50), from_ms(100));
  CHECK(std::isnan(c.p95_held()));
  c.delivered(0, from_ms(110));
  CHECK(std::isnan(c.p95_held()));
  c.delivered(1, from_ms(110));
  CHECK(c.p95_held() == 1);
}

TEST_CASE("what several clients saw adds up") {
  Calibration one, other;
  one.accepted(0, finishes_within(50), from_ms(0));
  other.accepted(0, finishes_within(50), from_ms(0));
  one.delivered(0, from_ms(10));
  other.delivered(0, from_ms(60));
  one.add(other);
  CHECK(one.p95_held() == 0.5);
}
