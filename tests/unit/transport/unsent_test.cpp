#include "protocol/transport/unsent.h"

#include <catch2/catch.hpp>
#include <list>
#include <optional>

using genai::transport::Unsent;

namespace {

constexpr std::size_t kOverhead = Unsent::kOverheadBytes;

}  // namespace

TEST_CASE("bytes count for their peer until the message ends") {
  Unsent unsent(100 + 2 * kOverhead, 1000 + 10 * kOverhead);
  CHECK(unsent.has_room("a", 100));
  {
    const zmq::message_t message = unsent.message("a", std::string(60, 'x'));
    CHECK(message.to_string_view() == std::string(60, 'x'));
    CHECK(unsent.bytes() == 60 + kOverhead);
    CHECK(unsent.has_room("a", 40));
    CHECK_FALSE(unsent.has_room("a", 41));
    CHECK(unsent.has_room("b", 100));
  }
  CHECK(unsent.bytes() == 0);
  CHECK(unsent.has_room("a", 100));
}

TEST_CASE("one message may wait that is larger than what a peer may have") {
  Unsent unsent(100, 1000);
  CHECK(unsent.has_room("a", 101));
}

TEST_CASE("many small messages count for what they take") {
  Unsent unsent(100 * kOverhead, 1000 * kOverhead);
  std::list<zmq::message_t> waiting;
  while (unsent.has_room("a", 0)) waiting.push_back(unsent.message("a", ""));
  CHECK(waiting.size() == 100);
}

TEST_CASE("however many peers do not read, room is left for the next one") {
  constexpr std::size_t kMessage = 10 + kOverhead;
  Unsent unsent(100 * kMessage, 100 * kMessage);
  std::list<zmq::message_t> waiting;
  const auto fill = [&](const std::string& peer) {
    while (unsent.has_room(peer, 10)) waiting.push_back(unsent.message(peer, std::string(10, 'x')));
  };
  fill("deaf-1");
  CHECK(unsent.bytes() == 50 * kMessage);
  CHECK(unsent.has_room("honest", 50 * kMessage - kOverhead));
  for (int i = 2; i <= 4; ++i) fill("deaf-" + std::to_string(i));
  CHECK(unsent.bytes() < 100 * kMessage);
  CHECK(unsent.has_room("honest", 4 * kMessage));
  // Those that have nothing waiting take no share.
  for (int i = 0; i < 1000; ++i) unsent.message("quiet-" + std::to_string(i), "text");
  CHECK(unsent.has_room("honest", 4 * kMessage));
}

TEST_CASE("messages may outlive the socket that sent them") {
  std::optional<Unsent> unsent(std::in_place, 100, 1000);
  const zmq::message_t message = unsent->message("a", "text");
  unsent.reset();
  CHECK(message.to_string_view() == "text");
}

TEST_CASE("peers that come and go leave nothing behind") {
  Unsent unsent(1000 + 2 * kOverhead, 1000 + 2 * kOverhead);
  for (int i = 0; i < 100'000; ++i) unsent.message(std::to_string(i), "text");
  const zmq::message_t waiting = unsent.message("a", std::string(990, 'x'));
  // Each share is of those who wait, not of all who ever came.
  CHECK(unsent.has_room("b", 7));
}
