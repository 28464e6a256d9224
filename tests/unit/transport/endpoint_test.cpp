#include "protocol/transport/endpoint.h"

#include <catch2/catch.hpp>
#include <string>

using namespace genai::transport;

TEST_CASE("endpoints are judged by their shape") {
  for (const char* good : {"tcp://127.0.0.1:7700", "tcp://*:0", "tcp://127.0.0.1:*",
                           "tcp://[::1]:7", "ipc:///tmp/x", "inproc://x"})
    CHECK(!endpoint_problem(good));
  for (const char* bad : {"", "tcp://", "tcp://host", "tcp://host:", "tcp://:5", "tcp://h:65536",
                          "tcp://h:x", "http://h:1", "ipc://", "127.0.0.1:7700"}) {
    CAPTURE(bad);
    CHECK(endpoint_problem(bad));
  }
  CHECK(endpoint_problem("ipc://" + std::string(108, 'x')));
}
