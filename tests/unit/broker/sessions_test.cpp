#include "tests/unit/broker/world.h"

namespace genai::broker::test {

TEST_CASE("a node joins, is welcomed and told to the dispatcher") {
  World world;
  world.connect_dispatcher();
  const auto welcome = only<msg::Welcome>(world.node("a", hello("n1", 1, {ref_of("t")})));
  CHECK(welcome.heartbeat_ms == 1000);
  CHECK(welcome.suspect_ms == 3000);
  CHECK(welcome.lost_ms == 5000);
  CHECK(welcome.broker == id_of<InstanceId>(0xbb));
  world.expire();
  const auto delta = world.next_link<msg::Delta>();
  CHECK(delta.seq == 1);
  REQUIRE(delta.changes.size() == 1);
  const auto& joined = std::get<msg::Delta::Joined>(delta.changes[0]).provider;
  CHECK(joined.node_id == node_of("n1"));
  CHECK(joined.session == session_of(1));
  CHECK(joined.state == ProviderState::kOnline);
  CHECK(joined.meta.models == std::vector<std::string>{"sdxl"});
  CHECK(joined.held == std::vector{ref_of("t")});
  CHECK(world.noted(line::kNodeJoined) == 1);
}

TEST_CASE("a heartbeat is answered with its number") {
  World world;
  world.node("a", hello("n1", 1));
  CHECK(only<msg::HeartbeatReply>(world.node("a", msg::Heartbeat{42, {}, {}})).seq == 42);
}

TEST_CASE("the same session on a new connection is rebound and the old one forgotten") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  const auto sent = world.node("b", hello("n1", 1, {ref_of("t")}));
  only<msg::Welcome>(sent);
  CHECK(sent[0].peer == "b");
  CHECK(world.providers() == 1);
  CHECK(world.noted(line::kNodeRejoined) == 1);
  world.expire();
  const auto changes = world.link_changes();
  REQUIRE(changes.size() == 2);
  CHECK(std::get<msg::Delta::Joined>(changes[1]).provider.held.size() == 1);

  const auto error = only<msg::ErrorReply>(world.node("a", msg::Heartbeat{1, {}, {}}));
  CHECK(error.code == ErrorCode::kUnknownSession);
  only<msg::HeartbeatReply>(world.node("b", msg::Heartbeat{1, {}, {}}));

  world.dispatcher("D", msg::ToNodes{{{session_of(1), Blob(std::string("x"))}}});
  REQUIRE(world.raw_to_nodes.size() == 1);
  CHECK(world.raw_to_nodes[0].peer == "b");
}

TEST_CASE("a HELLO repeated on the same connection is welcomed again") {
  World world;
  world.node("a", hello("n1", 1));
  only<msg::Welcome>(world.node("a", hello("n1", 1)));
  CHECK(world.providers() == 1);
}

TEST_CASE("one connection carries one node, one session has one name") {
  World world;
  world.node("a", hello("n1", 1));
  const auto before = fingerprint(world.core, world.now);
  CHECK(only<msg::ErrorReply>(world.node("a", hello("n2", 2))).code == ErrorCode::kNotAllowed);
  CHECK(only<msg::ErrorReply>(world.node("b", hello("n2", 1))).code == ErrorCode::kBadField);
  CHECK(fingerprint(world.core, world.now) == before);
}

TEST_CASE("leave, then bye, then goodbye") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  CHECK(world.node("a", msg::Leave{"update"}).empty());
  CHECK(world.provider(1).state == ProviderState::kDraining);
  world.node("a", msg::Leave{"update"});
  world.expire();
  auto changes = world.link_changes();
  REQUIRE(changes.size() == 2);
  CHECK(std::get<msg::Delta::StateChanged>(changes[1]).state == ProviderState::kDraining);
  CHECK(std::get<msg::Delta::StateChanged>(changes[1]).reason == "update");

  only<msg::Welcome>(world.node("b", hello("n1", 1)));
  CHECK(world.provider(1).state == ProviderState::kDraining);  // a reconnect is no change of mind

  only<msg::Goodbye>(world.node("b", msg::Bye{"done"}));
  CHECK(world.providers() == 0);
  CHECK(world.noted(line::kNodeLeft) == 1);
  world.expire();
  changes = world.link_changes();
  REQUIRE(changes.size() == 2);
  CHECK(std::get<msg::Delta::StateChanged>(changes[1]).state == ProviderState::kLeft);
  CHECK(std::get<msg::Delta::StateChanged>(changes[1]).reason == "done");

  const auto error = only<msg::ErrorReply>(world.node("b", msg::Heartbeat{1, {}, {}}));
  CHECK(error.code == ErrorCode::kUnknownSession);
  only<msg::Welcome>(world.node("b", hello("n1", 1)));  // an ended session simply joins again
}

TEST_CASE("anything but HELLO from an unknown connection is told to say HELLO") {
  World world;
  for (const Message& message :
       {Message(msg::Heartbeat{1, {}, {}}), Message(msg::Leave{""}), Message(msg::Bye{""}),
        Message(msg::Progress{{{ref_of("t"), 0.5, ""}}})}) {
    const auto error = only<msg::ErrorReply>(world.node("x", message));
    CHECK(error.code == ErrorCode::kUnknownSession);
  }
  CHECK(world.providers() == 0);
}

TEST_CASE("too many nodes are refused, known and replacing ones are not") {
  World world(2);
  world.node("a", hello("n1", 1));
  world.node("b", hello("n2", 2));
  const auto error = only<msg::ErrorReply>(world.node("c", hello("n3", 3)));
  CHECK(error.code == ErrorCode::kTooManyNodes);
  CHECK(error.detail.find("2") != std::string::npos);
  CHECK(world.noted(line::kNodeRefused) == 1);
  only<msg::Welcome>(world.node("d", hello("n1", 1)));
  only<msg::Welcome>(world.node("b", hello("n2", 4)));
  world.node("d", msg::Bye{""});
  only<msg::Welcome>(world.node("c", hello("n3", 3)));
}

TEST_CASE("metadata that a dispatcher would refuse does not get in") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.node("b", hello("n2", 2));
  std::vector<std::string> models(4096, std::string(120, 'm'));
  const auto before = fingerprint(world.core, world.now);
  const auto error = only<msg::ErrorReply>(world.node("a", msg::Heartbeat{1, {}, models}));
  CHECK(error.code == ErrorCode::kTooLarge);
  CHECK(fingerprint(world.core, world.now) == before);
  world.dispatcher("D", msg::LinkHello{id_of<InstanceId>(1), 1});
  world.expire();  // World decodes all that is sent: the snapshot is still readable
}

}  // namespace genai::broker::test
