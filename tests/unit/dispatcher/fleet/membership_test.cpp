// Brokers and nodes coming and going.
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

std::size_t hellos(World& w) {
  std::size_t count = 0;
  for (auto& [broker, message] : w.to_brokers)
    count += std::holds_alternative<msg::LinkHello>(message);
  w.to_brokers.clear();
  return count;
}

}  // namespace

TEST_CASE("the dispatcher asks for a snapshot until it gets one") {
  World w;
  w.step();
  CHECK(hellos(w) == 1);
  w.broker_silent = true;
  w.run_for(3'000);
  CHECK(hellos(w) == 15);  // five in each heartbeat interval
  w.broker_silent = false;
  w.snapshot();
  hellos(w);
  w.run_for(5'000);
  CHECK(hellos(w) == 0);
}

TEST_CASE("a gap in the deltas leads to a new snapshot and nothing is applied meanwhile") {
  World w;
  w.snapshot();
  w.run_for(1'000);
  hellos(w);
  w.link(msg::Delta{World::broker_id(0), 12, {msg::Delta::Joined{World::entry(1)}}});
  w.step();
  CHECK(hellos(w) == 1);
  CHECK(w.core.providers().size() == 0);
}

TEST_CASE("another broker process behind the same endpoint leads to a new snapshot") {
  World w;
  w.snapshot();
  w.run_for(1'000);
  hellos(w);
  w.link(msg::LinkHeartbeat{World::broker_id(0, 1), 0});
  w.step();
  CHECK(hellos(w) == 1);
}

TEST_CASE("a node that reconnects in time keeps its task") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.state(1, ProviderState::kSuspect);
  w.submit("u");
  CHECK(w.take_assigned().empty());  // no new work for a suspect
  w.join(1, 1, {ref});
  CHECK(w.status("t") == TaskStatus::kSent);
  CHECK(w.task("t").issued.size() == 1);
  w.result(1, ref);
  CHECK(w.status("t") == TaskStatus::kCompleted);
}

TEST_CASE("an assignment that crossed with a reconnect is sent again under the same ref") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.join(1);  // the same session, holding nothing
  CHECK(w.take_only_assigned().second == ref);
  CHECK(w.task("t").issued.size() == 1);
}

TEST_CASE("a reconnecting node that lost an acknowledged task gives it up") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.join(1);
  CHECK(w.task("t").losses == 1);
  CHECK(w.take_only_assigned().second.attempt == 2);
}

TEST_CASE("a node that comes back too late keeps what nobody else has taken") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.state(1, ProviderState::kLost);
  CHECK(w.status("t") == TaskStatus::kUnscheduled);
  w.join(1, 1, {ref});
  CHECK(w.status("t") == TaskStatus::kSent);
  CHECK(w.take_to_nodes<msg::Keep>().at(0).second == ref);
  CHECK(w.take_assigned().empty());
  w.result(1, ref);
  CHECK(w.status("t") == TaskStatus::kCompleted);
}

TEST_CASE("a node that claims what this dispatcher never gave it is told to abort") {
  World w;
  w.snapshot();
  w.join(1, 1, {{task_id("foreign"), 1, 3}});
  auto aborts = w.take_to_nodes<msg::Abort>();
  REQUIRE(aborts.size() == 1);
  CHECK(aborts[0].second.code == ErrorCode::kUnknownTask);
}

TEST_CASE(
    "a new session of a node replaces the old one, and its tasks are requeued without blame") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.join(101);  // node-1 again, another session
  CHECK(w.core.providers().size() == 1);
  auto [again, second] = w.take_only_assigned();
  CHECK(again == 101);
  CHECK(second.attempt == 2);
  CHECK(w.task("t").losses == 0);
}

TEST_CASE("a node that is replaced again and again fails no task") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  for (unsigned life = 1; life < 50; ++life) {
    auto [node, ref] = w.take_only_assigned();
    w.ack(node, ref);
    w.join(1 + 100 * life);
  }
  CHECK(w.status("t") == TaskStatus::kScheduled);
  CHECK(w.task("t").losses == 0);
}

TEST_CASE("after a broker restart nodes keep their tasks and nothing runs twice") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("a");
  w.submit("b");
  auto assigned = w.take_assigned();
  REQUIRE(assigned.size() == 2);
  for (auto& [node, ref] : assigned) w.ack(node, ref);

  w.broker_silent = true;
  w.run_for(20'000);  // longer than the lost time: the only broker is down, nobody else can help
  CHECK(w.status("a") == TaskStatus::kSent);
  CHECK(w.reopened == 1);

  w.life = 1;
  w.broker_silent = false;
  w.snapshot({}, 0, 100);  // a young broker that has heard of nobody
  CHECK(w.status("a") == TaskStatus::kSent);
  w.advance(1'000);
  w.join(1, 1, {assigned[0].first == 1 ? assigned[0].second : assigned[1].second});
  w.advance(1'000);
  w.join(2, 1, {assigned[0].first == 2 ? assigned[0].second : assigned[1].second});
  for (auto& [node, ref] : assigned) w.result(node, ref);
  CHECK(w.status("a") == TaskStatus::kCompleted);
  CHECK(w.status("b") == TaskStatus::kCompleted);
  CHECK(w.task("a").issued.size() == 1);
  CHECK(w.task("b").issued.size() == 1);
}

TEST_CASE("after a broker restart a node that does not come back is lost in the lost time") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.life = 1;
  w.snapshot({}, 0, 100);
  w.link(msg::LinkHeartbeat{World::broker_id(0, 1), 10});
  for (int i = 0; i < 9; ++i) {
    w.advance(500);
    w.link(msg::LinkHeartbeat{World::broker_id(0, 1), 10});
    w.step();
  }
  CHECK(w.status("t") == TaskStatus::kSent);
  w.advance(600);
  w.step();
  CHECK(w.status("t") == TaskStatus::kUnscheduled);
  CHECK(w.core.providers().size() == 0);
}

TEST_CASE("with another broker up, the nodes of a dead one are given up after the lost time") {
  World w({}, {"ipc://one", "ipc://two"});
  w.snapshot({World::entry(1)}, 0);
  w.snapshot({}, 1);
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.join(2, 1, {}, 1);
  for (int i = 0; i < 30; ++i) {  // only the second broker is heard
    w.advance(500);
    w.link(msg::LinkHeartbeat{World::broker_id(1), w.seqs[1]}, 1);
    w.step();
  }
  CHECK(w.take_only_assigned().first == 2);
}

TEST_CASE("what an established broker does not list is lost at once") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.snapshot({});  // the same broker process: it has judged the node in a delta that was missed
  CHECK(w.status("t") == TaskStatus::kUnscheduled);
}

TEST_CASE("a snapshot's held list is too old to prove that a task was dropped") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.snapshot({World::entry(1)});
  CHECK(w.status("t") == TaskStatus::kSent);
}

TEST_CASE("a pause of this process itself loses nobody") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.advance(60'000);  // stopped; the ack and the heartbeats wait in the sockets
  w.step();
  CHECK(w.status("t") == TaskStatus::kScheduled);
  CHECK(w.reopened == 0);
  w.ack(node, ref);
  CHECK(w.status("t") == TaskStatus::kSent);
}

TEST_CASE("undelivered assignments are taken back") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  w.take_only_assigned();
  w.join(2);
  w.link(msg::Undelivered{{{World::session(1), ErrorCode::kUnreachable}}});
  w.step();
  CHECK(w.take_only_assigned().first == 2);
  CHECK(w.task("t").losses == 0);
}

TEST_CASE("progress reaches those who watch it and only from the present attempt") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t", {}, msg::WatchLevel::kProgress);
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.take_to_client<msg::Update>();
  w.from_node(node, msg::Progress{{{ref, 0.5, "half"}}});
  auto updates = w.take_to_client<msg::Update>();
  REQUIRE(updates.size() == 1);
  CHECK(updates[0].entries.at(0).fraction == 0.5);
  CHECK(updates[0].entries[0].text == "half");
  CHECK(updates[0].entries[0].node_id == "node-1");
  AssignmentRef old = ref;
  old.attempt = 9;
  w.from_node(node, msg::Progress{{{old, 0.9, "forged"}}});
  CHECK(w.take_to_client<msg::Update>().empty());
}

TEST_CASE("progress told of often is passed on once per tick, as it is then") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t", {}, msg::WatchLevel::kProgress);
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.take_to_client<msg::Update>();
  for (const double fraction : {0.1, 0.2, 0.3}) {
    const Blob frame(encode(msg::Progress{{{ref, fraction, ""}}}));
    w.link(msg::FromNodes{{{World::session(node), frame}}});
  }
  w.step();
  auto updates = w.take_to_client<msg::Update>();
  REQUIRE(updates.size() == 1);
  REQUIRE(updates[0].entries.size() == 1);
  CHECK(updates[0].entries[0].fraction == 0.3);
  w.step();
  CHECK(w.take_to_client<msg::Update>().empty());
}

TEST_CASE("a broker's snapshot does not take back a node that has moved to another broker") {
  World w({}, {"ipc://one", "ipc://two"});
  const auto broker = [&] { return w.core.membership().find(World::session(1))->broker; };
  w.snapshot({World::entry(1)}, 0);
  w.snapshot({}, 1);
  w.join(1, 1, {}, 1);
  CHECK(broker() == 1);
  w.snapshot({World::entry(1)}, 0);  // which has not missed the node yet
  CHECK(broker() == 1);
  w.state(1, ProviderState::kLost, 0);
  CHECK(w.core.providers().size() == 1);
}

TEST_CASE("of two processes under one node id at two brokers, the one that is left serves") {
  World w({}, {"ipc://one", "ipc://two"});
  const auto serving = [&] {
    REQUIRE(w.core.providers().size() == 1);
    return w.core.providers().sessions().begin()->first;
  };
  w.snapshot({World::entry(1)}, 0);
  w.snapshot({}, 1);
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.join(101, 1, {}, 1);  // node-1 again
  CHECK(serving() == World::session(1));
  const auto told = std::ranges::find_if(w.to_nodes, [](const World::ToNode& sent) {
    return std::holds_alternative<msg::ErrorReply>(sent.message);
  });
  REQUIRE(told != w.to_nodes.end());
  CHECK(told->node == 101);
  CHECK(std::get<msg::ErrorReply>(told->message).code == ErrorCode::kNodeIdInUse);
  w.snapshot({World::entry(101)}, 1);  // a list is no news
  CHECK(serving() == World::session(1));
  CHECK(w.status("t") == TaskStatus::kSent);
  hellos(w);
  SECTION("the first is lost") { w.state(1, ProviderState::kLost, 0); }
  SECTION("the first is silent") { w.state(1, ProviderState::kSuspect, 0); }
  SECTION("the first has left") { w.state(1, ProviderState::kLeft, 0); }
  SECTION("the first's broker was restarted and does not hear of it") {
    w.life = 1;
    w.snapshot({}, 0);
    w.life = 0;
  }
  CHECK(hellos(w) == 1);
  w.snapshot({World::entry(101)}, 1);
  CHECK(serving() == World::session(101));
}

TEST_CASE("a node cannot take a session over from another node at another broker") {
  World w({}, {"ipc://one", "ipc://two"});
  const auto serving = [&] { return w.core.providers().sessions().begin()->second->node_id.str(); };
  w.snapshot({World::entry(1)}, 0);
  w.snapshot({}, 1);
  auto stolen = World::entry(1);
  stolen.node_id = *NodeId::parse("thief");
  SECTION("by a HELLO") { w.change(msg::Delta::Joined{stolen}, 1); }
  SECTION("in a list") { w.snapshot({stolen}, 1); }
  CHECK(serving() == "node-1");
  w.submit("t");
  CHECK(w.core.membership().find(w.core.providers().sessions().begin()->first)->broker == 0);
  // Once the first of them is gone, who is left is asked for again.
  hellos(w);
  w.state(1, ProviderState::kLost, 0);
  CHECK(hellos(w) == 1);
  // The question, or its answer, may be lost.
  w.run_for(3'500);
  CHECK(hellos(w) == 3);
  w.snapshot({stolen}, 1);
  CHECK(serving() == "thief");
  w.run_for(3'500);
  CHECK(hellos(w) == 0);
}

TEST_CASE("a node that was said to be elsewhere is found again where it is") {
  World w({}, {"ipc://one", "ipc://two"});
  w.snapshot({World::entry(1)}, 1);
  w.snapshot({World::entry(1)}, 0);  // it has moved here, and its Joined was missed
  hellos(w);
  SECTION("its former broker misses it") {
    w.state(1, ProviderState::kSuspect, 1);
    CHECK(hellos(w) == 1);
    w.snapshot({World::entry(1)}, 0);
    w.state(1, ProviderState::kLost, 1);
  }
  SECTION("its former broker is gone") {
    w.link(msg::ErrorReply{0, ErrorCode::kSuperseded, ""}, 1);
    w.step();
    CHECK(hellos(w) == 1);
    w.snapshot({World::entry(1)}, 0);
  }
  REQUIRE(w.core.providers().size() == 1);
  CHECK(w.core.membership().find(w.core.providers().sessions().begin()->first)->broker == 0);
}

TEST_CASE("who is missing from a snapshot is known only after its last part") {
  World w;
  w.snapshot({World::entry(1), World::entry(2), World::entry(3)});
  for (const char* id : {"a", "b", "c"}) w.submit(id);
  for (auto& [node, ref] : w.take_assigned()) w.ack(node, ref);
  const auto part = [&](unsigned node, bool more) {
    w.link(msg::Snapshot{World::broker_id(0, w.life), 10, 60'000, {World::entry(node)}, more});
    w.step();
    return w.core.providers().size();
  };
  CHECK(part(2, true) == 3);
  SECTION("the last part judges") {
    CHECK(part(3, false) == 2);
    CHECK(w.core.tasks().count(TaskStatus::kUnscheduled) == 1);
  }
  SECTION("what a broker listed before it was lost counts no more") {
    w.link(msg::ErrorReply{0, ErrorCode::kSuperseded, ""});
    CHECK(part(1, true) == 3);
    CHECK(part(3, false) == 2);
  }
}

TEST_CASE("a young broker's snapshot in parts loses nobody") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.life = 1;
  w.link(msg::Snapshot{World::broker_id(0, 1), 3, 100, {World::entry(1)}, true});
  w.link(msg::Snapshot{World::broker_id(0, 1), 3, 100, {World::entry(3)}, false});
  w.step();
  CHECK(w.core.providers().size() == 3);
}
