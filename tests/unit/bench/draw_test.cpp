#include "tools/bench/draw.h"

#include <catch2/catch.hpp>

using genai::bench::Draw;

TEST_CASE("draws are the same for a seed and a stream, and differ between streams") {
  Draw one(7, 1), same(7, 1), other(7, 2);
  const double first = one.uniform();
  CHECK(first == same.uniform());
  CHECK(first != other.uniform());
  CHECK(one.lognormal(0.1) == same.lognormal(0.1));
}

TEST_CASE("draws have the mean and the spread they should") {
  constexpr int kCount = 100'000;
  Draw draw(1);
  double uniform = 0, waits = 0, logs = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    uniform += draw.uniform();
    waits += draw.exponential(3);
    const double log = std::log(draw.lognormal(0.1));
    logs += log;
    squares += log * log;
  }
  CHECK(uniform / kCount == Approx(0.5).margin(0.01));
  CHECK(waits / kCount == Approx(3).margin(0.05));
  CHECK(logs / kCount == Approx(0).margin(0.002));
  CHECK(std::sqrt(squares / kCount) == Approx(0.1).margin(0.002));
}
