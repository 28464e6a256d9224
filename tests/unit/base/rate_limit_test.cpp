#include "protocol/base/rate_limit.h"

#include <catch2/catch.hpp>

using genai::RateLimit;
using std::chrono::seconds;

TEST_CASE("a burst passes, then one per interval, and the rest is counted") {
  RateLimit limit(2, seconds(10));
  CHECK(limit.allow(seconds(1000)));
  CHECK(limit.allow(seconds(1000)));
  CHECK_FALSE(limit.allow(seconds(1000)));
  CHECK_FALSE(limit.allow(seconds(1009)));
  CHECK(limit.take_suppressed() == 2);
  CHECK(limit.take_suppressed() == 0);
  CHECK(limit.allow(seconds(1010)));
  CHECK_FALSE(limit.allow(seconds(1011)));
  // The interval goes on from 1010, not from the refusal.
  CHECK(limit.allow(seconds(1020)));
}

TEST_CASE("a rest earns the burst back, and no more") {
  RateLimit limit(3, seconds(1));
  for (int i = 0; i < 3; ++i) CHECK(limit.allow(seconds(5)));
  CHECK_FALSE(limit.allow(seconds(5)));
  for (int i = 0; i < 3; ++i) CHECK(limit.allow(seconds(100000)));
  CHECK_FALSE(limit.allow(seconds(100000)));
  CHECK(limit.take_suppressed() == 2);
}

TEST_CASE("time spent with a full bucket is not saved up") {
  RateLimit limit(1, seconds(10));
  CHECK(limit.allow(seconds(9)));
  CHECK_FALSE(limit.allow(seconds(11)));
  CHECK(limit.allow(seconds(19)));
}
