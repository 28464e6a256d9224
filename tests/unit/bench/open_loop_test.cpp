#include "tools/bench/open_loop.h"

#include <catch2/catch.hpp>
#include <stdexcept>

using namespace genai;
using namespace genai::bench;

namespace {

constexpr Duration kBegin = from_ms(5000);
constexpr Duration kSecond = from_ms(1000);

constexpr Duration at(std::int64_t ms) { return kBegin + Duration(ms * 1000); }

}  // namespace

TEST_CASE("an open loop submits what is due, in batches, whatever is open") {
  OpenLoop loop({1000}, 4, 100, kBegin, kSecond);
  CHECK(loop.room(at(0)) == 1);
  CHECK(loop.submit(1, at(0)) == 0);
  CHECK(loop.room(at(0)) == 0);
  CHECK(loop.next_due() == at(1));
  CHECK(loop.room(at(2)) == 2);
  CHECK(loop.room(at(50)) == 4);
  CHECK(loop.submit(4, at(50)) == 1);
  CHECK(loop.room(at(50)) == 4);
  CHECK(loop.open() == 5);
}

TEST_CASE("times count from when a task was due, not from when it was sent") {
  OpenLoop loop({1000}, 100, 100, kBegin, kSecond);
  loop.submit(3, at(2));
  CHECK(loop.accepted(0, at(5)) == from_ms(5));
  CHECK(loop.delivered(0, at(7)) == from_ms(7));
  CHECK(loop.delivered(2, at(7)) == from_ms(5));
  CHECK_FALSE(loop.delivered(2, at(8)));
}

TEST_CASE("it is done when all that were due in its time are delivered, and not before") {
  OpenLoop loop({1000}, 100, 100, kBegin, from_ms(3));
  loop.submit(1, at(0));
  loop.delivered(0, at(1));
  loop.close();  // the time is over, two tasks were due in it
  CHECK_FALSE(loop.is_done());
  CHECK(loop.room(at(60)) == 2);
  loop.submit(2, at(60));
  CHECK(loop.next_due() == kNever);
  loop.delivered(1, at(61));
  CHECK_FALSE(loop.is_done());
  loop.delivered(2, at(61));
  CHECK(loop.is_done());
}

TEST_CASE("no more tasks than asked for") {
  OpenLoop loop({1000}, 100, 2, kBegin, kSecond);
  CHECK(loop.room(at(500)) == 2);
  loop.submit(2, at(500));
  CHECK(loop.room(at(900)) == 0);
}

TEST_CASE("a client whose turn does not come has nothing to do") {
  CHECK(OpenLoop({1, 2, 1}, 1, 100, kBegin, kSecond).is_done());
}

TEST_CASE("too many that wait are an error, sent or not") {
  const auto loop = [] {
    return OpenLoop({kMaxOutstanding * 2}, 4096, kMaxOutstanding * 10, kBegin, kSecond);
  };
  CHECK(loop().room(at(499)) == 4096);
  CHECK_THROWS_AS(loop().room(at(501)), std::runtime_error);
  OpenLoop served = loop();
  for (int batch = 0; batch < 2; ++batch) served.submit(served.room(at(499)), at(499));
  for (std::size_t i = 0; i < 8192; ++i) served.delivered(i, at(499));
  CHECK(served.room(at(501)) == 4096);
}

TEST_CASE("of the tasks that may wait each client has its share") {
  const OpenLoop half({kMaxOutstanding, 2, 0}, 1, kMaxOutstanding * 10, kBegin, from_ms(5000));
  CHECK(half.room(at(990)) == 1);
  CHECK_THROWS_AS(half.room(at(1010)), std::runtime_error);
}
