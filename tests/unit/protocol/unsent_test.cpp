#include "protocol/transport/unsent.h"

#include <catch2/catch.hpp>
#include <list>
#include <optional>

using genai::transport::Unsent;

TEST_CASE("bytes count for their peer until the message ends") {
  Unsent unsent(100, 1000);
  CHECK(unsent.has_room("a", 100));
  {
    const zmq::message_t message = unsent.message("a", std::string(60, 'x'));
    CHECK(message.to_string_view() == std::string(60, 'x'));
    CHECK(unsent.bytes() == 60);
    CHECK(unsent.has_room("a", 40));
    CHECK_FALSE(unsent.has_room("a", 41));
    CHECK(unsent.has_room("b", 100));
  }
  CHECK(unsent.bytes() == 0);
  CHECK(unsent.has_room("a", 100));
}

TEST_CASE("one message may always wait, however large") {
  Unsent unsent(100, 1000);
  CHECK(unsent.has_room("a", 101));
}

TEST_CASE("when all that may wait does, each peer has an equal share") {
  Unsent unsent(1000, 1000);
  std::list<zmq::message_t> waiting;
  waiting.push_back(unsent.message("a", std::string(900, 'x')));
  waiting.push_back(unsent.message("b", std::string(100, 'x')));
  CHECK_FALSE(unsent.has_room("a", 1));
  CHECK(unsent.has_room("b", 400));
  CHECK_FALSE(unsent.has_room("b", 401));
}

TEST_CASE("messages may outlive the socket that sent them") {
  std::optional<Unsent> unsent(std::in_place, 100, 1000);
  const zmq::message_t message = unsent->message("a", "text");
  unsent.reset();
  CHECK(message.to_string_view() == "text");
}

TEST_CASE("peers that come and go leave nothing behind") {
  Unsent unsent(1000, 1000);
  for (int i = 0; i < 100'000; ++i) unsent.message(std::to_string(i), "text");
  const zmq::message_t waiting = unsent.message("a", std::string(990, 'x'));
  // Each share is of those who wait, not of all who ever came.
  CHECK(unsent.has_room("b", 7));
}
