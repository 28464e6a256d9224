// What a broker lets keys do.
#include <catch2/catch.hpp>

#include "world.h"

using namespace genai;
using namespace genai::broker;
using namespace genai::broker::test;
namespace {

Identity node_key(std::string_view node, const std::string& key = "key") {
  return {.kind = Identity::Kind::kNode, .key = key, .node = node_of(node)};
}
Identity key_of(Identity::Kind kind) { return {.kind = kind, .key = "key"}; }

ErrorCode only_error(const std::vector<World::Sent>& sent) {
  REQUIRE(sent.size() == 1);
  const auto* error = std::get_if<msg::ErrorReply>(&sent[0].message);
  REQUIRE(error != nullptr);
  return error->code;
}

}  // namespace

TEST_CASE("a node's key is good for its node id only") {
  World world;
  world.who = node_key("n1");
  const std::string before = fingerprint(world.core, world.now);
  CHECK(only_error(world.node("a", hello("n2", 2))) == ErrorCode::kNotAllowed);
  CHECK(fingerprint(world.core, world.now) == before);
  CHECK(std::holds_alternative<msg::Welcome>(world.node("a", hello("n1", 1)).at(0).message));
  // Nor can it take over what another node has.
  world.who = node_key("n2", "other key");
  CHECK(only_error(world.node("b", hello("n1", 1))) == ErrorCode::kNotAllowed);
  CHECK(only_error(world.node("b", hello("n2", 1))) == ErrorCode::kBadField);
  CHECK(world.core.snapshot(world.now).providers.size() == 1);
}

TEST_CASE("another key for the same node waits for the node id as a new process would") {
  World world;
  world.who = node_key("n1", "old");
  world.node("a", hello("n1", 1));
  world.who = node_key("n1", "new");
  CHECK(std::get<msg::ErrorReply>(world.node("b", hello("n1", 2)).back().message).code ==
        ErrorCode::kNodeIdInUse);
  world.tell(KeysRevoked{{"old"}});
  world.expire();
  only<msg::Welcome>(world.node("b", hello("n1", 2)));
  world.tell(KeysRevoked{{"old"}});
  REQUIRE(world.core.snapshot(world.now).providers.size() == 1);
  CHECK(world.core.snapshot(world.now).providers[0].session == session_of(2));
}

TEST_CASE("keys of others than nodes get nothing from the nodes' socket") {
  const auto kind =
      GENERATE(Identity::Kind::kNobody, Identity::Kind::kClient, Identity::Kind::kDispatcher);
  World world;
  world.who = key_of(kind);
  CHECK(only_error(world.node("a", hello("n1", 1))) == ErrorCode::kNotAllowed);
  CHECK(only_error(world.node_bytes("a", Blob(std::string("garbage")))) == ErrorCode::kNotAllowed);
  CHECK(world.core.snapshot(world.now).providers.empty());
  CHECK(world.noted(line::kMalformedNode) == 1);  // at a limited rate
}

TEST_CASE("revoking a key ends its sessions at once") {
  World world;
  world.connect_dispatcher();
  world.who = node_key("n1", "k1");
  world.node("a", hello("n1", 1));
  world.who = node_key("n2", "k2");
  world.node("b", hello("n2", 2));
  world.expire();
  world.link.clear();
  SECTION("when the keys are read again") { world.tell(KeysRevoked{{"k1"}}); }
  SECTION("with the next frame") {
    world.who = Identity::nobody();
    CHECK(only_error(world.node("a", msg::Heartbeat{1, {}, {}})) == ErrorCode::kNotAllowed);
  }
  world.expire();
  const auto delta = world.next_link<msg::Delta>("D");
  REQUIRE(delta.changes.size() == 1);
  const auto& change = std::get<msg::Delta::StateChanged>(delta.changes[0]);
  CHECK(change.session == session_of(1));
  CHECK(change.state == ProviderState::kLost);
  CHECK(world.core.snapshot(world.now).providers.size() == 1);
  world.core.check();
}

TEST_CASE("an empty key is nobody's: revoking it ends nothing") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.tell(KeysRevoked{{""}});
  CHECK(world.core.snapshot(world.now).providers.size() == 1);
  CHECK(world.core.has_dispatcher());
}

TEST_CASE("only a dispatcher's key opens a link") {
  World world;
  SECTION("others are refused, and the link that is there stays") {
    world.connect_dispatcher();
    world.who =
        key_of(GENERATE(Identity::Kind::kNobody, Identity::Kind::kClient, Identity::Kind::kNode));
    world.dispatcher("E", msg::LinkHello{id_of<InstanceId>(2), 99});
    world.expire();
    const auto error = world.next_link<msg::ErrorReply>("E");
    CHECK(error.code == ErrorCode::kNotAllowed);
    world.who = key_of(Identity::Kind::kDispatcher);
    world.dispatcher("F", msg::LinkHello{id_of<InstanceId>(3), 2});  // 99 did not count
    CHECK(world.core.has_dispatcher());
    world.next_link<msg::ErrorReply>("D");
    world.next_link<msg::Snapshot>("F");
  }
  SECTION("and it ends with the key") {
    world.who = key_of(Identity::Kind::kDispatcher);
    world.connect_dispatcher();
    world.tell(KeysRevoked{{"key"}});
    CHECK(!world.core.has_dispatcher());
    world.core.check();
  }
}

TEST_CASE("another key under the name of a connection is not who had it before") {
  World world;
  world.connect_dispatcher();
  world.who = node_key("n1");
  world.node("a", hello("n1", 1));
  world.expire();
  world.link.clear();
  world.who = node_key("n2", "other key");
  CHECK(only_error(world.node_bytes("a", result_frame("t"))) == ErrorCode::kUnknownSession);
  CHECK(only_error(world.node("a", msg::Heartbeat{1, {}, {}})) == ErrorCode::kUnknownSession);
  CHECK(only_error(world.node("a", hello("n2", 2))) == ErrorCode::kNotAllowed);
  world.expire();
  CHECK(world.link.empty());
  world.who = node_key("n1");
  only<msg::HeartbeatReply>(world.node("a", msg::Heartbeat{2, {}, {}}));
}
