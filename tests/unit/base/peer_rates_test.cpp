#include "protocol/base/peer_rates.h"

#include <catch2/catch.hpp>

using genai::PeerRates;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("a peer may use a second's units at once, and after that its rate") {
  PeerRates rates(100);
  const auto may_ask = [&](auto at) { return rates.may_ask("a", at); };
  for (int i = 0; i < 100; ++i) {
    CHECK(may_ask(seconds(50)));
    rates.charge("a", 1, seconds(50));
  }
  CHECK(may_ask(seconds(50)));  // the second itself is not used up: one more
  rates.charge("a", 1, seconds(50));
  CHECK_FALSE(may_ask(seconds(50)));
  CHECK(may_ask(seconds(50) + milliseconds(10)));
  CHECK(rates.may_ask("b", seconds(50)));
}

TEST_CASE("a large request is paid for afterwards") {
  PeerRates rates(100);
  rates.charge("a", 1000, seconds(1));
  CHECK_FALSE(rates.may_ask("a", milliseconds(9'999)));
  CHECK(rates.may_ask("a", seconds(10)));
}

TEST_CASE("silence earns no more than a second") {
  PeerRates rates(100);
  rates.charge("a", 1, seconds(1));
  rates.charge("a", 101, seconds(1000));
  CHECK_FALSE(rates.may_ask("a", seconds(1000)));
}

TEST_CASE("peers that ask no more are forgotten") {
  PeerRates rates(100);
  for (int i = 0; i < 100'000; ++i) rates.charge(std::to_string(i), 1, milliseconds(i));
  CHECK(rates.size() < 200);
}
