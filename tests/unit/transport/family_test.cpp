// Names and addresses of either family can be reached.
#include "protocol/transport/family.h"

#include <catch2/catch.hpp>

#include "protocol/base/limits.h"
#include "protocol/transport/socket.h"

using namespace genai;
using namespace genai::transport;

namespace {

/// Whether a message from a Dealer of `host` arrives at a Router that is bound at `bound`.
bool reaches(const std::string& bound, const std::string& host) {
  Context context;
  const SocketLimits limits{limits::kMaxFrameBytes, 100, 100};
  Router router(context, limits);
  const auto endpoint = router.bind("tcp://" + bound + ":*");
  REQUIRE(endpoint);
  const std::string port = endpoint->substr(endpoint->rfind(':'));
  Dealer dealer(context, limits, "tcp://" + host + port);
  PollSet poll;
  poll.add(router);
  for (int i = 0; i < 500; ++i) {
    dealer.send("hello");
    poll.wait(from_ms(20));
    if (router.receive()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("addresses say themselves of which family they are") {
  CHECK(needs_ipv6("tcp://[::1]:7700"));
  CHECK(!needs_ipv6("tcp://127.0.0.1:7700"));
  CHECK(!needs_ipv6("ipc:///tmp/x"));
  CHECK(!needs_ipv6("inproc://x"));
}

TEST_CASE("a name with an IPv4 address, or without any, is left to IPv4") {
  CHECK(!needs_ipv6("tcp://localhost:7700"));
  CHECK(!needs_ipv6("tcp://no-such-name.invalid:7700"));
  CHECK(!needs_ipv6("tcp://no-such-name.invalid:7700"));
}

TEST_CASE("either family is reached by its address, and an IPv4 endpoint is told as such") {
  CHECK(reaches("127.0.0.1", "127.0.0.1"));
  CHECK(reaches("127.0.0.1", "localhost"));
  CHECK(reaches("[::1]", "[::1]"));
  CHECK(reaches("[::]", "[::1]"));
  CHECK(reaches("[::]", "127.0.0.1"));
  Context context;
  Router router(context, {limits::kMaxFrameBytes, 100, 100});
  CHECK(router.bind("tcp://127.0.0.1:*").value_or("").starts_with("tcp://127.0.0.1:"));
}
