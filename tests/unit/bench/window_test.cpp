#include "tools/bench/window.h"

#include <catch2/catch.hpp>

using namespace genai;
using genai::bench::Window;

namespace {

constexpr Duration at(std::int64_t us) { return Duration(us); }

}  // namespace

TEST_CASE("a window is filled in batches, the last one smaller") {
  Window window(10, 4, 100);
  CHECK(window.room(at(0)) == 4);
  CHECK(window.submit(4, at(0)) == 0);
  CHECK(window.submit(4, at(0)) == 4);
  CHECK(window.room(at(0)) == 2);
  CHECK(window.submit(2, at(0)) == 8);
  CHECK(window.room(at(0)) == 0);
  CHECK(window.open() == 10);
  CHECK_FALSE(window.is_done());
}

TEST_CASE("only a delivery makes room") {
  Window window(2, 4, 100);
  window.submit(2, at(0));
  CHECK(window.accepted(1, at(5)) == at(5));
  CHECK(window.room(at(0)) == 0);
  CHECK(window.delivered(1, at(9)) == at(9));
  CHECK(window.room(at(0)) == 1);
  CHECK(window.submit(1, at(20)) == 2);
  CHECK(window.delivered(2, at(50)) == at(30));
}

TEST_CASE("each step of a task is timed once") {
  Window window(2, 2, 100);
  window.submit(2, at(10));
  CHECK(window.accepted(0, at(11)) == at(1));
  CHECK_FALSE(window.accepted(0, at(12)));
  CHECK(window.delivered(0, at(13)) == at(3));
  CHECK_FALSE(window.delivered(0, at(14)));
  CHECK(window.open() == 1);
  CHECK(window.delivered(1, at(15)) == at(5));
  CHECK(window.accepted(1, at(16)) == at(6));  // overtaken by its result
  CHECK(window.open() == 0);
}

TEST_CASE("tasks never submitted are no news") {
  Window window(2, 2, 100);
  window.submit(1, at(0));
  CHECK_FALSE(window.accepted(1, at(1)));
  CHECK_FALSE(window.delivered(1, at(1)));
  CHECK(window.open() == 1);
}

TEST_CASE("it is done when all tasks are delivered") {
  Window window(2, 2, 3);
  window.submit(2, at(0));
  window.delivered(0, at(1));
  window.delivered(1, at(1));
  CHECK_FALSE(window.is_done());
  CHECK(window.room(at(0)) == 1);
  window.submit(1, at(2));
  CHECK(window.room(at(0)) == 0);
  CHECK_FALSE(window.is_done());
  window.delivered(2, at(3));
  CHECK(window.is_done());
  CHECK(window.submitted() == 3);
}

TEST_CASE("once closed it takes no more and is done with those open") {
  Window window(4, 4, 100);
  window.submit(1, at(0));
  window.close();
  CHECK(window.room(at(0)) == 0);
  CHECK_FALSE(window.is_done());
  window.delivered(0, at(1));
  CHECK(window.room(at(0)) == 0);
  CHECK(window.is_done());
}
