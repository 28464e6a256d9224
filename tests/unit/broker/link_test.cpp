#include "tests/unit/broker/world.h"

namespace genai::broker::test {

namespace {

msg::LinkHello link_hello(std::uint8_t instance, std::uint64_t epoch) {
  return {id_of<InstanceId>(instance), epoch};
}

ErrorCode link_error(World& world, std::string_view peer) {
  return world.next_link<msg::ErrorReply>(peer).code;
}

}  // namespace

TEST_CASE("a snapshot, then deltas numbered without a gap") {
  World world;
  world.node("a", hello("n1", 1, {ref_of("t")}));
  world.node("b", hello("n2", 2));
  world.node("b", msg::Leave{""});
  world.pass(700);
  world.dispatcher("D", link_hello(1, 5));
  const auto snapshot = world.next_link<msg::Snapshot>();
  CHECK(snapshot.broker == id_of<InstanceId>(0xbb));
  CHECK(snapshot.uptime_ms == 700);
  REQUIRE(snapshot.providers.size() == 2);
  CHECK(snapshot.providers[0].held.size() == 1);
  CHECK(snapshot.providers[1].state == ProviderState::kDraining);
  CHECK(world.noted(line::kDispatcherConnected) == 1);

  std::uint64_t seq = snapshot.seq;
  for (std::uint8_t n = 3; n < 9; ++n) {
    world.node("p" + std::to_string(n), hello("n" + std::to_string(n), n));
    world.expire();
    CHECK(world.next_link<msg::Delta>().seq == ++seq);
  }

  SECTION("a repeated LINK_HELLO is a resync: what came before it still goes out first") {
    world.node("p9", hello("n9", 9));
    world.node_bytes("a", result_frame("t"));
    world.dispatcher("D", link_hello(1, 5));
    CHECK(world.next_link<msg::Delta>().seq == ++seq);
    CHECK(world.next_link<msg::FromNodes>().parcels.size() == 1);
    const auto fresh = world.next_link<msg::Snapshot>();
    CHECK(fresh.seq == seq);
    CHECK(fresh.providers.size() == 9);
    CHECK(world.noted(line::kDispatcherResync) == 1);
  }
  SECTION("a gone dispatcher misses changes, not numbers") {
    world.tell(LinkUndeliverable{"D", ErrorCode::kPeerFull});
    world.node("p9", hello("n9", 9));
    world.expire();
    CHECK(world.link.empty());
    CHECK(world.noted(line::kDispatcherGone) == 1);
    world.dispatcher("E", link_hello(1, 5));
    CHECK(world.next_link<msg::Snapshot>("E").seq == seq);
    world.node("p10", hello("n10", 10));
    world.expire();
    CHECK(world.next_link<msg::Delta>("E").seq == seq + 1);
  }
}

TEST_CASE("order on the link is the order of events; neighbours of a kind share a message") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.node("b", hello("n2", 2));
  world.node_bytes("a", result_frame("t1"));
  world.node_bytes("b", result_frame("t2"));
  world.node("a", msg::Heartbeat{1, {ref_of("t3")}, {}});
  world.node_bytes("a", result_frame("t3"));
  CHECK(world.core.next_deadline() <= world.now.mono);  // something waits to be sent
  world.expire();
  CHECK(world.next_link<msg::Delta>().changes.size() == 2);
  const auto parcels = world.next_link<msg::FromNodes>().parcels;
  REQUIRE(parcels.size() == 2);
  CHECK(parcels[0].session == session_of(1));
  CHECK(parcels[0].frame == result_frame("t1"));
  CHECK(parcels[1].session == session_of(2));
  const auto beat = world.next_link<msg::Delta>();
  CHECK(std::get<msg::Delta::Beat>(beat.changes.at(0)).held.size() == 1);
  CHECK(world.next_link<msg::FromNodes>().parcels.size() == 1);
  CHECK(world.link.empty());
}

TEST_CASE("beats go on only when tasks are held or something changed") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.expire();
  world.link.clear();
  const auto beats = [&](std::vector<AssignmentRef> held, std::vector<std::string> loaded) {
    world.node("a", msg::Heartbeat{1, std::move(held), std::move(loaded)});
    world.expire();
    return world.link_changes().size();
  };
  CHECK(beats({}, {}) == 0);
  CHECK(beats({ref_of("t")}, {}) == 1);
  CHECK(beats({ref_of("t")}, {}) == 1);
  CHECK(beats({}, {}) == 1);
  CHECK(beats({}, {}) == 0);
  CHECK(beats({}, {"sdxl"}) == 1);
  CHECK(beats({}, {"sdxl"}) == 0);
  CHECK(world.provider(1).meta.loaded_models == std::vector<std::string>{"sdxl"});
}

TEST_CASE("parcels are routed by session; what cannot be is reported") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.node("b", hello("n2", 2));
  world.expire();
  world.link.clear();
  const Blob one(std::string("one")), two(std::string("two"));
  world.dispatcher(
      "D", msg::ToNodes{{{session_of(2), two}, {session_of(9), one}, {session_of(1), one}}});
  REQUIRE(world.raw_to_nodes.size() == 2);
  CHECK(world.raw_to_nodes[0].peer == "b");
  CHECK(world.raw_to_nodes[0].frame == "two");
  CHECK(world.raw_to_nodes[1].peer == "a");
  CHECK(world.raw_to_nodes[1].parcel_of == session_of(1));

  const auto outputs = world.raw_to_nodes;
  world.tell(Undeliverable{outputs[0], ErrorCode::kUnreachable});
  world.tell(Undeliverable{outputs[1], ErrorCode::kPeerFull});
  const NodeOutput own{"a", "welcome", std::nullopt};
  world.tell(Undeliverable{own, ErrorCode::kUnreachable});
  world.expire();
  const auto entries = world.next_link<msg::Undelivered>().entries;
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].session == session_of(9));
  CHECK(entries[0].code == ErrorCode::kUnknownSession);
  CHECK(entries[1].session == session_of(2));
  CHECK(entries[1].code == ErrorCode::kUnreachable);
  CHECK(entries[2].code == ErrorCode::kPeerFull);
  CHECK(world.providers() == 2);  // only silence ends a session
}

TEST_CASE("takeover by epoch") {
  World world;
  world.connect_dispatcher("D", 1, 5);
  SECTION("a lower epoch is refused") {
    world.dispatcher("E", link_hello(2, 4));
    CHECK(link_error(world, "E") == ErrorCode::kSuperseded);
    CHECK(world.noted(line::kDispatcherRefused) == 1);
    world.node("a", hello("n1", 1));
    world.expire();
    world.next_link<msg::Delta>("D");
  }
  SECTION("a later one takes over; pending messages are not for it") {
    world.node("a", hello("n1", 1));
    world.dispatcher("E", link_hello(2, 6));
    CHECK(link_error(world, "D") == ErrorCode::kSuperseded);
    CHECK(world.next_link<msg::Snapshot>("E").providers.size() == 1);
    world.expire();
    CHECK(world.link.empty());
    world.dispatcher("D", msg::LinkHeartbeat{id_of<InstanceId>(1), 0});
    CHECK(link_error(world, "D") == ErrorCode::kUnknownSession);
  }
  SECTION("the same process on a new connection is not told that it was replaced") {
    world.dispatcher("E", link_hello(1, 5));
    world.next_link<msg::Snapshot>("E");
    CHECK(world.link.empty());
  }
  SECTION("an equal one waits until the other is silent, so that they do not replace each other") {
    world.dispatcher("E", link_hello(2, 5));
    CHECK(link_error(world, "E") == ErrorCode::kSuperseded);
    CHECK(world.core.has_dispatcher());
    world.pass(3000);
    world.link.clear();
    world.dispatcher("E", link_hello(2, 5));
    CHECK(link_error(world, "D") == ErrorCode::kSuperseded);
    world.next_link<msg::Snapshot>("E");
  }
  SECTION("a lower epoch is refused for good, even once the later one is gone") {
    world.pass(5000);
    world.link.clear();
    world.dispatcher("E", link_hello(2, 4));
    CHECK(link_error(world, "E") == ErrorCode::kSuperseded);
    world.pass(19'999);
    world.dispatcher("E", link_hello(2, 4));
    CHECK(link_error(world, "E") == ErrorCode::kSuperseded);
    world.pass(1);
    world.dispatcher("E", link_hello(2, 4));
    CHECK(link_error(world, "E") == ErrorCode::kEpochTooLow);  // with a later one it may come
    CHECK(!world.core.has_dispatcher());
    world.dispatcher("E", link_hello(2, 6));
    world.next_link<msg::Snapshot>("E");
  }
}

TEST_CASE("a dispatcher that is refused for ever is told of ten times, then ten times a minute") {
  World world;
  world.connect_dispatcher("D", 1, 5);
  const auto refuse_for = [&](int seconds) {
    world.notes.clear();
    for (int i = 0; i < 5 * seconds; ++i) {
      world.dispatcher("E", link_hello(2, 4));
      world.dispatcher("D", msg::LinkHeartbeat{id_of<InstanceId>(1), 0});
      world.pass(200);
      world.link.clear();
    }
    return world.noted(line::kDispatcherRefused);
  };
  CHECK(refuse_for(60) <= 20);
  CHECK(refuse_for(60) <= 10);
  CHECK(uint_in(world.notes.back(), "count") > 20);
}

TEST_CASE("the first beat after a node spoke of tasks goes on even when it holds none") {
  World world;
  world.node("a", hello("a", 1));
  world.connect_dispatcher();
  world.node("a", msg::AssignAck{{{ref_of("t"), ErrorCode::kOk, ""}}});
  world.expire();
  world.link.clear();
  world.node("a", msg::Heartbeat{1, {}, {}});
  world.expire();
  CHECK(world.link_changes().size() == 1);
  world.node("a", msg::Heartbeat{2, {}, {}});
  world.expire();
  CHECK(world.link_changes().empty());
}

TEST_CASE("a new dispatcher is told what the former was not") {
  World world;
  world.node("a", hello("a", 1));
  world.node("a", msg::AssignAck{{{ref_of("t"), ErrorCode::kOk, ""}}});
  world.node("a", msg::Heartbeat{1, {}, {}});  // there is nobody to hear it
  world.connect_dispatcher();
  world.node("a", msg::Heartbeat{2, {}, {}});
  world.expire();
  CHECK(world.link_changes().size() == 1);
  world.node("a", msg::Heartbeat{3, {}, {}});
  world.expire();
  CHECK(world.link_changes().empty());
}

TEST_CASE("link heartbeats go out every interval with the last delta's number") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.expire();
  CHECK(world.next_link<msg::Delta>().seq == 1);
  world.pass(999);
  CHECK(world.link.empty());
  world.pass(1);
  const auto beat = world.next_link<msg::LinkHeartbeat>();
  CHECK(beat.seq == 1);
  CHECK(beat.instance == id_of<InstanceId>(0xbb));
  world.pass(1000);
  world.next_link<msg::LinkHeartbeat>();
}

TEST_CASE("a silent dispatcher is gone after the lost time and must say LINK_HELLO") {
  World world;
  world.connect_dispatcher();
  world.pass(3000);
  world.dispatcher("D", msg::LinkHeartbeat{id_of<InstanceId>(1), 0});
  world.pass(4999);
  CHECK(world.core.has_dispatcher());
  world.pass(1);
  CHECK(!world.core.has_dispatcher());
  CHECK(world.noted(line::kDispatcherGone) == 1);
  world.link.clear();

  world.node("a", hello("n1", 1));
  world.node_bytes("a", result_frame("t"));
  world.expire();
  CHECK(world.link.empty());
  CHECK(world.metric("dropped_frames_total") == 1);

  world.dispatcher("D", msg::ToNodes{{{session_of(1), Blob(std::string("x"))}}});
  CHECK(world.raw_to_nodes.empty());
  CHECK(link_error(world, "D") == ErrorCode::kUnknownSession);
  world.dispatcher("D", link_hello(1, 1));
  CHECK(world.next_link<msg::Snapshot>().providers.size() == 1);
}

TEST_CASE("the dispatcher that is served may ask for the metrics, and nobody else") {
  World world;
  world.dispatcher("D", msg::LinkStatsQuery{});
  CHECK(link_error(world, "D") == ErrorCode::kUnknownSession);
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.pass(700);
  world.link.clear();
  world.dispatcher("D", msg::LinkStatsQuery{});
  const ValueMap metrics = world.next_link<msg::LinkStats>().metrics;
  CHECK(get_uint(metrics, "nodes_online") == 1);
  CHECK(get_uint(metrics, "joined_total") == 1);
  CHECK(get_uint(metrics, "uptime_ms") == 700);
  CHECK(metrics.size() == world.core.metrics().all().size() + 1);
  world.dispatcher("E", msg::LinkStatsQuery{});
  CHECK(link_error(world, "E") == ErrorCode::kUnknownSession);
}

TEST_CASE("to ask for metrics is a sign of the dispatcher's life") {
  World world;
  world.connect_dispatcher();
  world.pass(3000);
  world.dispatcher("D", msg::LinkStatsQuery{});
  world.pass(4999);
  CHECK(world.core.has_dispatcher());
}

}  // namespace genai::broker::test
