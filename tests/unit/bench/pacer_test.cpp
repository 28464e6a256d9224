#include "tools/bench/pacer.h"

#include <catch2/catch.hpp>

using genai::bench::number_of;

TEST_CASE("the number of a task is what follows the run's own prefix") {
  CHECK(number_of("01a2-b-0", "01a2-b") == 0);
  CHECK(number_of("01a2-b-1234567", "01a2-b") == 1234567);
  for (const char* id : {"01a2-b", "01a2-b-", "01a2-b-x", "01a2-b-1x", "01a2-b--1", "01a2-c-1",
                         "01a2-b1", "", "01a2-b-99999999999999999999999"})
    CHECK_FALSE(number_of(id, "01a2-b"));
}
