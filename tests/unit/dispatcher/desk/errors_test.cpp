// What an error result says of its cause, and what comes of it.
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

void report(World& w, unsigned node, const AssignmentRef& ref, ErrorCode code) {
  const ValueMap info{{"code", static_cast<std::uint64_t>(code)}, {"error", "it says why"}};
  w.from_node(node, msg::Result{{{ref, msg::Outcome::kError, info, {}}}});
}

/// A RESULT with more data than it may have.
std::string too_large(const AssignmentRef& ref) {
  std::string frame = encode(msg::Result{{{ref, msg::Outcome::kOk, {}, {}}}});
  REQUIRE(frame.ends_with(std::string("\xc4\x00", 2)));
  frame.resize(frame.size() - 2);
  const auto size = static_cast<std::uint32_t>(limits::kMaxResultBytes + 1);
  frame += '\xc6';
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(size >> shift & 0xff);
  return frame + std::string(size, 'x');
}

}  // namespace

TEST_CASE("what no attempt can do ends the task at once, with its code") {
  const ErrorCode code = GENERATE(ErrorCode::kResultTooLarge, ErrorCode::kImpossible);
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("t");
  const auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  report(w, node, ref, code);
  w.run_for(60'000);
  CHECK(w.take_assigned().empty());
  CHECK(w.status("t") == TaskStatus::kFailed);
  const auto delivered = w.take_delivered();
  REQUIRE_FALSE(delivered.empty());
  CHECK(delivered[0].code == code);
  CHECK(get_string(delivered[0].info, "error") == "the node reported an error: it says why");
  CHECK(get_string(delivered[0].info, "node_id") == "node-" + std::to_string(node));
  CHECK(get_uint(delivered[0].info, "attempts") == 1);
  CHECK_FALSE(delivered[0].info.contains("code"));
  CHECK(w.task("t").log.size() == 4);  // accepted, Scheduled, Sent, Failed
  // The node has told the truth, and is not taken for one that fails.
  CHECK(w.core.providers().records().at(*NodeId::parse("node-" + std::to_string(node))).failures ==
        0);
}

TEST_CASE("a time limit that the node kept counts as time_limit") {
  World w;
  w.snapshot({World::entry(1)});
  TaskSpec spec;
  spec.max_attempts = 2;
  w.submit("t", spec);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto [node, ref] = w.take_only_assigned();
    w.ack(node, ref);
    report(w, node, ref, ErrorCode::kTimeLimit);
    w.run_for(1'300);
  }
  CHECK(w.status("t") == TaskStatus::kFailed);
  CHECK(w.task("t").faults == 2);
  CHECK(w.take_delivered().at(0).code == ErrorCode::kTimeLimit);
}

TEST_CASE("a task whose attempts are used up has the code of the last one") {
  const bool limit_last = GENERATE(true, false);
  World w;
  w.snapshot({World::entry(1)});
  TaskSpec spec;
  spec.max_attempts = 2;
  spec.time_limit_ms = 1'000;
  w.submit("t", spec);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto [node, ref] = w.take_only_assigned();
    w.ack(node, ref);
    if ((attempt == 1) == limit_last) {
      w.run_for(3'100);  // the dispatcher's own limit
      w.from_node(node, msg::AbortAck{{{ref, msg::AbortOutcome::kStopped}}});
    } else {
      w.error(node, ref);
    }
    w.run_for(1'300);
  }
  CHECK(w.status("t") == TaskStatus::kFailed);
  CHECK(w.task("t").code == (limit_last ? ErrorCode::kTimeLimit : ErrorCode::kTaskError));
}

TEST_CASE("a code that says nothing of the cause is an error like others") {
  const std::uint64_t code = GENERATE(0u, 4u, 105u, 500u, 514u, 66'041u);  // the last: 505 + 2^16
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("t");
  const auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.from_node(node, msg::Result{{{ref, msg::Outcome::kError, {{"code", code}}, {}}}});
  CHECK(w.task("t").faults == 1);
  CHECK(w.take_assigned().size() == 1);
}

TEST_CASE("a result over its limit is not drawn five times") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  const auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.link(msg::FromNodes{{{World::session(node), Blob(too_large(ref))}}});
  w.step();
  CHECK(w.status("t") == TaskStatus::kFailed);
  const auto delivered = w.take_delivered();
  REQUIRE(delivered.size() == 1);
  CHECK(delivered[0].code == ErrorCode::kResultTooLarge);
  const auto acks = w.take_to_nodes<msg::ResultAck>();  // else it would be sent again and again
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].second.ref == ref);
  CHECK(w.take_assigned().empty());
}

TEST_CASE("a result that cannot be read is an error, of the node that it was asked of") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("t");
  const auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  std::string frame = encode(msg::Result{{{ref, msg::Outcome::kError, {{"error", "q"}}, {}}}});
  frame[frame.find('q')] = '\xff';
  const auto send = [&](unsigned from) {
    w.link(msg::FromNodes{{{World::session(from), Blob(frame)}}});
    w.step();
  };
  send(3 - node);
  CHECK(w.status("t") == TaskStatus::kSent);
  send(node);
  CHECK(w.task("t").faults == 1);
  CHECK(w.task("t").log.back().status == TaskStatus::kScheduled);
  CHECK(w.take_only_assigned().first != node);
}

TEST_CASE("an ABORT says why, whatever has become of the task") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  const auto [first, ref] = w.take_only_assigned();
  w.ack(first, ref);
  w.state(first, ProviderState::kLost);
  w.join(2);
  const auto [second, again] = w.take_only_assigned();
  w.ack(second, again);
  ErrorCode expected = ErrorCode::kOk;
  SECTION("another has completed it") {
    w.result(second, again);
    expected = ErrorCode::kResultDiscarded;
  }
  SECTION("a client has it already") {
    w.result(second, again);
    w.fetch("t");
    w.run_for(1'000);
    expected = ErrorCode::kResultDiscarded;
  }
  SECTION("it runs elsewhere") { expected = ErrorCode::kProviderLost; }
  SECTION("it was cancelled") {
    w.cancel("t");
    expected = ErrorCode::kCancelled;
  }
  SECTION("it failed") {
    report(w, second, again, ErrorCode::kImpossible);
    expected = ErrorCode::kImpossible;
  }
  w.take_to_nodes<msg::Abort>();
  w.join(first, 1, {ref});
  const auto aborts = w.take_to_nodes<msg::Abort>();
  REQUIRE(aborts.size() == 1);
  CHECK(aborts[0].first == first);
  CHECK(aborts[0].second.code == expected);
}
