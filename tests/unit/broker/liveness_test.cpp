#include "tests/unit/broker/world.h"

namespace genai::broker::test {

using State = msg::Delta::StateChanged;

TEST_CASE("suspect, lost, and the texts that say so") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.pass(2999);
  CHECK(world.provider(1).state == ProviderState::kOnline);
  world.pass(1);
  CHECK(world.provider(1).state == ProviderState::kSuspect);
  world.dispatcher("D", msg::LinkHeartbeat{id_of<InstanceId>(1), 0});
  world.pass(1999);
  CHECK(world.providers() == 1);
  world.pass(1);
  CHECK(world.providers() == 0);
  const auto changes = world.link_changes();
  REQUIRE(changes.size() == 3);
  CHECK(std::get<State>(changes[1]).state == ProviderState::kSuspect);
  CHECK(std::get<State>(changes[1]).reason == "no heartbeat for 3000 ms");
  CHECK(std::get<State>(changes[2]).state == ProviderState::kLost);
  CHECK(std::get<State>(changes[2]).reason == "no heartbeat for 5000 ms");
  CHECK(only<msg::ErrorReply>(world.node("a", msg::Heartbeat{1, {}, {}})).code ==
        ErrorCode::kUnknownSession);
}

TEST_CASE("any valid message of a suspect node brings it back before the message goes on") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.pass(3500);
  world.link.clear();
  SECTION("a heartbeat") { world.node("a", msg::Heartbeat{1, {}, {}}); }
  SECTION("a task message") { world.node_bytes("a", result_frame("t")); }
  CHECK(world.provider(1).state == ProviderState::kOnline);
  CHECK(world.noted(line::kNodeBack) == 1);
  world.expire();
  const auto delta = world.next_link<msg::Delta>();
  REQUIRE(delta.changes.size() == 1);
  CHECK(std::get<State>(delta.changes[0]).state == ProviderState::kOnline);
}

TEST_CASE("a leaving node that falls silent is suspect, and leaving again when it is back") {
  World world;
  world.node("a", hello("n1", 1));
  world.node("a", msg::Leave{"x"});
  world.pass(3000);
  CHECK(world.provider(1).state == ProviderState::kSuspect);
  world.node("a", msg::Heartbeat{1, {}, {}});
  CHECK(world.provider(1).state == ProviderState::kDraining);
}

TEST_CASE("malformed frames are no sign of life") {
  World world;
  world.node("a", hello("n1", 1));
  for (int i = 0; i < 6; ++i) {
    world.pass(500);
    world.node_bytes("a", Blob(std::string("\x92\x01\x03", 3)));
  }
  CHECK(world.provider(1).state == ProviderState::kSuspect);
}

TEST_CASE("a stopped broker process holds its own absence against nobody") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.pass(2000);
  world.stall(60'000);
  world.expire();
  CHECK(world.noted(line::kLateLoop) == 1);
  CHECK(world.provider(1).state == ProviderState::kOnline);
  CHECK(world.core.has_dispatcher());
  world.pass(999);
  CHECK(world.provider(1).state == ProviderState::kOnline);
  world.pass(1);
  CHECK(world.provider(1).state == ProviderState::kSuspect);
}

TEST_CASE("most nodes vanishing at once are given more time and a warning, then are lost") {
  World world;
  std::vector<std::string> peers;
  for (std::uint8_t n = 1; n <= 6; ++n) {
    peers.push_back("p" + std::to_string(n));
    world.node(peers.back(), hello("n" + std::to_string(n), n));
  }
  const std::vector<std::string> living = {"p1", "p2"};
  world.pass_with_beats(5000, living);
  CHECK(world.noted(line::kMassVanish) == 1);
  CHECK(world.providers() == 6);
  CHECK(world.provider(3).state == ProviderState::kSuspect);
  world.node("p3", msg::Heartbeat{1, {}, {}});  // one comes back
  CHECK(world.provider(3).state == ProviderState::kOnline);
  world.pass_with_beats(4500, {"p1", "p2", "p3"});
  CHECK(world.providers() == 6);
  world.pass_with_beats(500, {"p1", "p2", "p3"});
  CHECK(world.providers() == 3);
  CHECK(world.noted(line::kNodeLost) == 3);
  CHECK(world.noted(line::kMassVanish) == 1);
}

TEST_CASE("nobody is judged while messages are left unread, but a flood keeps nobody alive") {
  World world;
  world.node("a", hello("n1", 1));
  world.pass(2000);
  const auto behind = [&](int seconds) {
    for (int i = 0; i < 10 * seconds; ++i) {
      world.now.mono += from_ms(100);
      world.tell(SocketsRead{true});
      world.expire();
    }
  };
  behind(4);
  world.tell(SocketsRead{false});
  world.expire();
  CHECK(world.provider(1).state == ProviderState::kOnline);
  // Its beat was among what waited.
  SECTION("read at last") {
    only<msg::HeartbeatReply>(world.node("a", msg::Heartbeat{1, {}, {}}));
    world.pass(2900);
    CHECK(world.provider(1).state == ProviderState::kOnline);
  }
  SECTION("caught up, silent: the time before counts, the flood does not") {
    world.pass(800);
    CHECK(world.provider(1).state == ProviderState::kOnline);
    world.pass(200);
    CHECK(world.provider(1).state == ProviderState::kSuspect);
  }
  SECTION("a flood without end") {
    behind(9);
    CHECK(world.providers() == 0);
  }
}

}  // namespace genai::broker::test
