// Two processes under one node id.
#include "tests/unit/broker/world.h"

namespace genai::broker::test {

namespace {

/// What the newcomer on that connection is told; what others are told is dropped.
ErrorCode refusal(const std::vector<World::Sent>& sent, std::string_view peer) {
  for (const World::Sent& one : sent)
    if (const auto* error = std::get_if<msg::ErrorReply>(&one.message); error && one.peer == peer)
      return error->code;
  return ErrorCode::kOk;
}

/// The connection is found to have ended.
void cut(World& world, const std::string& peer) {
  world.tell(Undeliverable{{peer, "x", std::nullopt}, ErrorCode::kUnreachable});
}

}  // namespace

TEST_CASE("two nodes under one name: the newcomer is refused as long as the first one beats") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1, {ref_of("t")}));
  world.expire();
  world.link.clear();
  for (int i = 0; i < 60; ++i) {
    world.pass(1000);
    only<msg::HeartbeatReply>(world.node("a", msg::Heartbeat{7, {ref_of("t")}, {}}));
    const auto sent = world.node("b", hello("n1", 2));
    CHECK(refusal(sent, "b") == ErrorCode::kNodeIdInUse);
    CHECK(refusal(sent, "a") == ErrorCode::kOk);  // the first one is not disturbed
  }
  CHECK(world.provider(1).held.size() == 1);
  CHECK(world.providers() == 1);
  for (const auto& change : world.link_changes())
    CHECK(std::holds_alternative<msg::Delta::Beat>(change));
  CHECK(world.noted(line::kNodeRefused) == 1);  // a minute
}

TEST_CASE("a name that others want is told of again each minute") {
  World world;
  for (int i = 0; i < 150; ++i) {
    world.node("a", i == 0 ? Message(hello("n1", 1)) : Message(msg::Heartbeat{1, {}, {}}));
    world.node("b", hello("n1", 2));
    world.node("c", hello("n1", 3));
    world.pass(1000);
  }
  CHECK(world.noted(line::kNodeRefused) == 3);
}

TEST_CASE("refusals are told of at a limited rate, however many nodes are refused") {
  World world(1);
  world.node("a", hello("n1", 1));
  for (int i = 0; i < 600; ++i) {
    world.node("a", msg::Heartbeat{1, {}, {}});
    world.node("b", hello("n2", 2));
    world.pass(100);
  }
  CHECK(world.noted(line::kNodeRefused) <= 20);
}

TEST_CASE("a newcomer takes the name of one that has left") {
  World world;
  world.node("a", hello("n1", 1));
  world.node("a", msg::Leave{""});
  CHECK(refusal(world.node("b", hello("n1", 2)), "b") == ErrorCode::kNodeIdInUse);  // it works yet
  world.node("a", msg::Bye{""});
  only<msg::Welcome>(world.node("b", hello("n1", 2)));
}

TEST_CASE("a newcomer takes the name of one that is silent, and nobody is told that it was lost") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1, {ref_of("t")}));
  world.pass(2999);
  CHECK(refusal(world.node("b", hello("n1", 2)), "b") == ErrorCode::kNodeIdInUse);
  world.pass(1);
  only<msg::Welcome>(world.node("b", hello("n1", 2)));
  CHECK(world.providers() == 1);
  CHECK(world.noted(line::kNodeLost) == 1);
  world.expire();
  const auto changes = world.link_changes();
  REQUIRE(changes.size() == 3);
  CHECK(std::get<msg::Delta::StateChanged>(changes[1]).state == ProviderState::kSuspect);
  CHECK(std::get<msg::Delta::Joined>(changes[2]).provider.session == session_of(2));

  SECTION("who was silent waits in its turn, and is not told to end") {
    CHECK(refusal(world.node("a", msg::Heartbeat{1, {}, {}}), "a") == ErrorCode::kUnknownSession);
    CHECK(refusal(world.node("a", hello("n1", 1)), "a") == ErrorCode::kNodeIdInUse);
    world.node("b", msg::Bye{""});
    only<msg::Welcome>(world.node("a", hello("n1", 1, {ref_of("t")})));
  }
}

TEST_CASE("a node that was killed and started again is not kept waiting until it is silent") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1, {ref_of("t")}));
  world.node("a", msg::Heartbeat{5, {ref_of("t")}, {}});
  const auto sent = world.node("b", hello("n1", 2));
  CHECK(refusal(sent, "b") == ErrorCode::kNodeIdInUse);
  REQUIRE(sent.size() == 2);  // whether the other is still there shows only by sending something
  CHECK(sent[0].peer == "a");
  CHECK(std::get<msg::HeartbeatReply>(sent[0].message).seq == 5);

  SECTION("its connection has ended: it is lost, with what it executed") {
    cut(world, "a");
    only<msg::Welcome>(world.node("b", hello("n1", 2)));
    world.expire();
    const auto changes = world.link_changes();
    REQUIRE(changes.size() >= 2);
    const auto& lost = std::get<msg::Delta::StateChanged>(changes[changes.size() - 2]);
    CHECK(lost.session == session_of(1));
    CHECK(lost.state == ProviderState::kLost);
    CHECK(std::get<msg::Delta::Joined>(changes.back()).provider.session == session_of(2));
  }
  SECTION("it has connected anew meanwhile: it keeps its name") {
    cut(world, "a");
    only<msg::Welcome>(world.node("c", hello("n1", 1)));
    CHECK(refusal(world.node("b", hello("n1", 2)), "b") == ErrorCode::kNodeIdInUse);
  }
  SECTION("it only does not read just now") {
    world.tell(Undeliverable{{"a", "x", std::nullopt}, ErrorCode::kPeerFull});
    CHECK(refusal(world.node("b", hello("n1", 2)), "b") == ErrorCode::kNodeIdInUse);
  }
}

TEST_CASE("a process that makes a new session on its connection takes its own place") {
  World world;
  world.node("a", hello("n1", 1));
  only<msg::Welcome>(world.node("a", hello("n1", 2)));
  CHECK(world.providers() == 1);
  CHECK(world.provider(2).node_id == node_of("n1"));
}

TEST_CASE("a broker that was restarted does not make two processes end each other") {
  // The old process, already leaving, and its successor both come back.
  World world;
  const bool old_first = GENERATE(true, false);
  const std::string first = old_first ? "old" : "new", second = old_first ? "new" : "old";
  const std::uint8_t one = old_first ? 1 : 2, other = old_first ? 2 : 1;
  only<msg::Welcome>(world.node(first, hello("n1", one)));
  CHECK(refusal(world.node(second, hello("n1", other)), second) == ErrorCode::kNodeIdInUse);
  world.node(first, msg::Bye{""});
  only<msg::Welcome>(world.node(second, hello("n1", other)));
}

}  // namespace genai::broker::test
