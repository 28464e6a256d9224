#include "tools/bench/latencies.h"

#include <catch2/catch.hpp>

using genai::bench::Latencies;

TEST_CASE("no times have the quantile 0") {
  CHECK(Latencies().quantile(0.5) == 0);
  CHECK(Latencies().mean() == 0);
}

TEST_CASE("one time is every quantile") {
  Latencies times;
  times.add(7);
  for (const double share : {0.0, 0.5, 0.999, 1.0}) CHECK(times.quantile(share) == 7);
}

TEST_CASE("a quantile is the nearest rank, in whatever order the times came") {
  Latencies times;
  for (int i = 1000; i > 0; --i) times.add(i);
  CHECK(times.mean() == 500.5);
  CHECK(times.quantile(0) == 1);
  CHECK(times.quantile(0.5) == 500);
  CHECK(times.quantile(0.99) == 990);
  CHECK(times.quantile(0.999) == 999);
  CHECK(times.quantile(0.9991) == 1000);
  CHECK(times.quantile(1) == 1000);
}

TEST_CASE("times that come after a question count in the next answer") {
  Latencies times, others;
  times.add(5);
  CHECK(times.quantile(1) == 5);
  times.add(9);
  times.add(1);
  CHECK(times.quantile(1) == 9);
  CHECK(times.quantile(0) == 1);
  others.add(20);
  others.add(0.5);
  times.add(others);
  CHECK(times.size() == 5);
  CHECK(times.quantile(1) == 20);
  CHECK(times.quantile(0) == 0.5);
}
