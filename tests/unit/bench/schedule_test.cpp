#include "tools/bench/schedule.h"

#include <catch2/catch.hpp>

using namespace genai;
using genai::bench::Schedule;

TEST_CASE("tasks are due at a fixed rate from the begin on") {
  const Schedule schedule{1000};
  CHECK(schedule.due(0) == Duration(0));
  CHECK(schedule.due(1) == Duration(1000));
  CHECK(schedule.due(2500) == Duration(2'500'000));
  CHECK(schedule.due_by(Duration(-1)) == 0);
  CHECK(schedule.due_by(Duration(0)) == 1);
  CHECK(schedule.due_by(Duration(999)) == 1);
  CHECK(schedule.due_by(Duration(1000)) == 2);
}

TEST_CASE("no rounding adds up: a second has as many tasks as the rate says") {
  for (const std::uint64_t rate : {1u, 3u, 7u, 999u, 33'333u, 1'000'000u, 7'654'321u}) {
    CAPTURE(rate);
    CHECK(Schedule{rate}.due(rate) == Duration(1'000'000));
    CHECK(Schedule{rate}.due_by(Duration(999'999)) == rate);
    CHECK(Schedule{rate}.due(1000 * rate) == Duration(1'000'000'000));
  }
}

TEST_CASE("what is counted as due is what has its time") {
  for (const std::uint64_t rate : {1u, 3u, 333u, 33'333u, 3'000'000u})
    for (const std::size_t parts : {1u, 3u})
      for (std::size_t index = 0; index < parts; ++index) {
        const Schedule schedule{rate, parts, index};
        for (const int us : {0, 1, 299, 300, 3003, 100'000, 333'333, 333'334, 1'000'000}) {
          CAPTURE(rate, parts, index, us);
          const std::uint64_t count = schedule.due_by(Duration(us));
          CHECK(schedule.due(count) > Duration(us));
          if (count > 0) CHECK(schedule.due(count - 1) <= Duration(us));
        }
      }
}

TEST_CASE("clients take turns and together keep the rate") {
  const Schedule whole{30'000};
  for (std::uint64_t number = 0; number < 10; ++number)
    for (std::size_t index = 0; index < 3; ++index)
      CHECK(Schedule{30'000, 3, index}.due(number) == whole.due(3 * number + index));
}
