// What one pass wants sent, batched.
#include "dispatcher/outbox.h"

#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

Session session(unsigned number, std::size_t index) {
  Session session;
  session.id = World::session(number);
  session.index = index;
  return session;
}

AssignmentRef ref(const std::string& id) { return {task_id(id), 1, 1}; }

/// Types of the frames in the parcels, with the session of each and the broker it goes to.
struct Sent {
  std::size_t broker;
  SessionId session;
  Message message;
};
std::vector<Sent> sent(const std::vector<Messages::ToBroker>& messages) {
  std::vector<Sent> out;
  for (const auto& [broker, message] : messages)
    for (const auto& [session, frame] : std::get<msg::ToNodes>(message).parcels)
      out.push_back({broker, session, *decode(frame, Direction::kToNode)});
  return out;
}

}  // namespace

TEST_CASE("a node that moves to another broker within a pass is written to there") {
  Outbox outbox;
  Session node = session(1, 0);
  outbox.ack_result(node, ref("a"), ErrorCode::kOk);
  outbox.keep(node, ref("b"));
  node.broker = 1;
  outbox.keep(node, ref("c"));
  outbox.ack_result(node, ref("d"), ErrorCode::kOk);
  const Effects effects = outbox.take();
  const auto work = sent(effects.at_once.to_brokers), acks = sent(effects.durable.to_brokers);
  REQUIRE(work.size() == 1);
  CHECK(work[0].broker == 1);
  CHECK(std::get<msg::Keep>(work[0].message).refs.size() == 2);
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].broker == 1);
  CHECK(std::get<msg::ResultAck>(acks[0].message).entries.size() == 2);
}

TEST_CASE("a place among the providers that is used again is another node's") {
  Outbox outbox;
  const Session gone = session(1, 0), next = session(2, 0);
  outbox.keep(gone, ref("a"));
  outbox.keep(next, ref("b"));
  outbox.keep(next, ref("c"));
  const auto work = sent(outbox.take().at_once.to_brokers);
  REQUIRE(work.size() == 2);
  CHECK(work[0].session == World::session(1));
  CHECK(work[1].session == World::session(2));
  CHECK(std::get<msg::Keep>(work[1].message).refs.size() == 2);
  // Nothing is left of a pass in the next one.
  outbox.keep(gone, ref("d"));
  const auto later = sent(outbox.take().at_once.to_brokers);
  REQUIRE(later.size() == 1);
  CHECK(later[0].session == World::session(1));
  CHECK(std::get<msg::Keep>(later[0].message).refs.size() == 1);
}

TEST_CASE("neighbours of one type become one message, in their order with others") {
  Outbox outbox;
  const Session node = session(1, 3);
  outbox.keep(node, ref("a"));
  outbox.abort(node, ref("b"), ErrorCode::kCancelled);
  outbox.abort(node, ref("c"), ErrorCode::kCancelled);
  outbox.keep(node, ref("d"));
  const auto work = sent(outbox.take().at_once.to_brokers);
  REQUIRE(work.size() == 3);
  CHECK(std::get<msg::Keep>(work[0].message).refs.size() == 1);
  CHECK(std::get<msg::Abort>(work[1].message).entries.size() == 2);
  CHECK(std::get<msg::Keep>(work[2].message).refs.size() == 1);
}

TEST_CASE("what nodes said of results counts for the size of a delivery") {
  Outbox outbox;
  for (int i = 0; i < 100; ++i)
    outbox.deliver("client", {task_id(std::to_string(i)),
                              TaskStatus::kCompleted,
                              ErrorCode::kOk,
                              ValueMap{{"log", std::string(30'000, 'x')}},
                              {}});
  const Effects effects = outbox.take();
  std::size_t tasks = 0;
  for (const auto& [peer, message] : effects.durable.to_clients) {
    CHECK(encode(message).size() <= limits::kBatchTargetBytes);
    tasks += std::get<msg::Deliver>(message).entries.size();
  }
  CHECK(tasks == 100);
  CHECK(effects.durable.to_clients.size() == 3);
}
