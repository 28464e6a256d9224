// The six states, one test per edge, and the three counters.
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

TEST_CASE("a task goes from accepted to delivered") {
  World w;
  w.snapshot({World::entry(1)});
  CHECK(w.submit("t").code == ErrorCode::kOk);
  CHECK(w.status("t") == TaskStatus::kScheduled);
  auto [node, ref] = w.take_only_assigned();
  CHECK(node == 1);
  CHECK(ref == AssignmentRef{task_id("t"), 1, World::kEpoch});
  w.ack(1, ref);
  CHECK(w.status("t") == TaskStatus::kSent);
  w.advance(250);
  w.result(1, ref);
  CHECK(w.status("t") == TaskStatus::kCompleted);
  auto acks = w.take_to_nodes<msg::ResultAck>();
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].second.code == ErrorCode::kOk);

  auto delivered = w.take_delivered();
  REQUIRE(delivered.size() == 1);
  CHECK(delivered[0].status == TaskStatus::kCompleted);
  CHECK(delivered[0].data.view() == "picture");
  CHECK(get_string(delivered[0].info, "node_id") == "node-1");
  CHECK(get_uint(delivered[0].info, "run_ms") == 5);
  CHECK(get_uint(delivered[0].info, "total_ms") == 250);
  CHECK(get_uint(delivered[0].info, "attempts") == 1);

  std::vector<TaskStatus> seen;
  for (const auto& entry : w.task("t").log) seen.push_back(entry.status);
  CHECK(seen == std::vector{TaskStatus::kUnscheduled, TaskStatus::kScheduled, TaskStatus::kSent,
                            TaskStatus::kCompleted});
}

TEST_CASE("an error result is retried elsewhere and counted as the task's fault") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("t");
  auto [first, ref] = w.take_only_assigned();
  w.ack(first, ref);
  w.error(first, ref);
  auto [second, again] = w.take_only_assigned();
  CHECK(second != first);
  CHECK(again.attempt == 2);
  CHECK(w.task("t").faults == 1);
  CHECK(w.task("t").losses == 0);
}

TEST_CASE("a task whose faults are used up ends Failed with the node's reason and its whole log") {
  Config config;
  config.max_faults = 3;
  World w(config);
  w.snapshot({World::entry(1)});
  w.submit("t");
  for (int attempt = 1; attempt <= 3; ++attempt) {
    auto [node, ref] = w.take_only_assigned();
    w.ack(node, ref);
    w.error(node, ref, "bad weights");
    w.run_for(2'600);  // it is not tried again at once
  }
  CHECK(w.take_assigned().empty());
  CHECK(w.status("t") == TaskStatus::kFailed);
  auto delivered = w.take_delivered();
  REQUIRE(delivered.size() == 1);
  CHECK(delivered[0].code == ErrorCode::kTaskError);
  CHECK(get_string(delivered[0].info, "error").find("bad weights") != std::string::npos);
  CHECK(w.task("t").log.size() == 10);  // accepted, 3 x (Scheduled, Sent), 2 x requeued, Failed
}

TEST_CASE("a task's own max_attempts overrides the default") {
  World w;
  w.snapshot({World::entry(1)});
  TaskSpec spec;
  spec.max_attempts = 1;
  w.submit("t", spec);
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.error(node, ref);
  CHECK(w.status("t") == TaskStatus::kFailed);
}

TEST_CASE("only what was executing is blamed for a loss") {
  Config config;
  config.prefetch = 2;
  World w(config);
  w.snapshot({World::entry(1)});
  for (const char* id : {"a", "b", "c"}) w.submit(id);
  // 3 tasks, 1 slot: with a backlog longer than the fleet, two are prefetched.
  auto assigned = w.take_assigned();
  REQUIRE(assigned.size() >= 2);
  for (auto& [node, ref] : assigned) w.ack(node, ref);
  w.state(1, ProviderState::kLost);
  CHECK(w.task("a").losses == 1);
  CHECK(w.task("b").losses == 0);
  CHECK(w.core.tasks().count(TaskStatus::kUnscheduled) == 3);
}

TEST_CASE("losses have a limit of their own") {
  Config config;
  config.max_losses = 2;
  World w(config);
  w.snapshot();
  w.submit("t");
  for (unsigned life = 1; life <= 2; ++life) {
    w.join(life);
    auto [node, ref] = w.take_only_assigned();
    w.ack(node, ref);
    w.state(life, ProviderState::kLost);
  }
  CHECK(w.status("t") == TaskStatus::kFailed);
  CHECK(w.take_delivered().at(0).code == ErrorCode::kProviderLost);
}

TEST_CASE("a task given back by a leaving node is nobody's fault") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.state(1, ProviderState::kDraining);
  w.give_back(node, ref);
  CHECK(w.status("t") == TaskStatus::kUnscheduled);
  CHECK(w.task("t").drains == 1);
  CHECK(w.task("t").faults == 0);
  CHECK(w.task("t").losses == 0);
  CHECK(w.take_assigned().empty());  // the node is leaving
  w.join(2);
  CHECK(w.take_only_assigned().first == 2);
}

TEST_CASE("an assignment without an answer is requeued, aborted, and not blamed") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.run_for(2'900);
  CHECK(w.status("t") == TaskStatus::kScheduled);
  w.join(2);
  w.run_for(200);
  auto [other, again] = w.take_only_assigned();
  CHECK(other == 2);
  CHECK(w.task("t").losses == 0);
  auto aborts = w.take_to_nodes<msg::Abort>();
  REQUIRE(!aborts.empty());
  CHECK(aborts[0].first == 1);
  CHECK(aborts[0].second.ref == ref);
}

TEST_CASE("a refused assignment goes elsewhere") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("t");
  auto [first, ref] = w.take_only_assigned();
  w.ack(first, ref, ErrorCode::kModelMissing);
  CHECK(w.take_only_assigned().first != first);
  CHECK(w.task("t").faults == 0);
}

TEST_CASE("what a node acknowledged but does not hold any more is requeued") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("t");
  auto [first, ref] = w.take_only_assigned();
  w.beat(first, {});  // not acknowledged yet: may still be on its way
  CHECK(w.status("t") == TaskStatus::kScheduled);
  w.ack(first, ref);
  w.beat(first, {ref});
  CHECK(w.status("t") == TaskStatus::kSent);
  w.beat(first, {});
  CHECK(w.take_only_assigned().first != first);
  CHECK(w.task("t").losses == 1);
}

TEST_CASE("the time limit ends an execution and counts as the task's fault") {
  World w;
  w.snapshot({World::entry(1)});
  TaskSpec spec;
  spec.time_limit_ms = 2'000;
  spec.max_attempts = 1;
  w.submit("t", spec);
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.run_for(3'900);  // the limit, and a grace for the node to say so itself
  CHECK(w.status("t") == TaskStatus::kSent);
  w.run_for(200);
  CHECK(w.status("t") == TaskStatus::kFailed);
  CHECK(w.take_delivered().at(0).code == ErrorCode::kTimeLimit);
  CHECK(w.take_to_nodes<msg::Abort>().at(0).second.code == ErrorCode::kTimeLimit);
}

TEST_CASE("a queued task expires by its own TTL and says what it waited for") {
  World w;
  w.snapshot({World::entry(1)});
  TaskSpec spec;
  spec.needs.model = "flux";
  spec.ttl_ms = 5'000;
  w.submit("t", spec);
  w.run_for(4'900);
  CHECK(w.status("t") == TaskStatus::kUnscheduled);
  w.run_for(200);
  CHECK(w.status("t") == TaskStatus::kFailed);
  auto delivered = w.take_delivered();
  CHECK(delivered.at(0).code == ErrorCode::kExpired);
  CHECK(get_string(delivered[0].info, "error").find("1 provider lacks model 'flux'") !=
        std::string::npos);
}

TEST_CASE("a running task expires too, and its node is told") {
  World w;
  w.snapshot({World::entry(1)});
  TaskSpec spec;
  spec.ttl_ms = 5'000;
  w.submit("t", spec);
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.run_for(5'100);
  CHECK(w.status("t") == TaskStatus::kFailed);
  CHECK(w.take_to_nodes<msg::Abort>().at(0).second.code == ErrorCode::kExpired);
}

TEST_CASE("the default TTL is 24 hours") {
  World w;
  w.snapshot();
  w.submit("t");
  w.run_for(24 * 3'600'000 - 1'000);
  CHECK(w.status("t") == TaskStatus::kUnscheduled);
  w.run_for(2'000);
  CHECK(w.status("t") == TaskStatus::kFailed);
}

TEST_CASE("cancelling a queued task ends it at once") {
  World w;
  w.snapshot();
  w.submit("t");
  CHECK(w.cancel("t").code == ErrorCode::kOk);
  CHECK(w.status("t") == TaskStatus::kAborted);
  CHECK(w.take_delivered().at(0).code == ErrorCode::kCancelled);
  w.join(1);
  CHECK(w.take_assigned().empty());
  CHECK(w.cancel("t").code == ErrorCode::kAlreadyTerminal);
  CHECK(w.cancel("nobody").code == ErrorCode::kUnknownTask);
}

TEST_CASE("cancelling a running task aborts it at its node until acknowledged") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  CHECK(w.cancel("t").code == ErrorCode::kOk);
  CHECK(w.status("t") == TaskStatus::kAborted);
  CHECK(w.take_to_nodes<msg::Abort>().size() == 1);
  w.submit("next");
  CHECK(w.take_assigned().empty());  // the node is still busy with the aborted one
  w.run_for(2'100);
  CHECK(w.take_to_nodes<msg::Abort>().size() == 1);  // repeated
  w.from_node(1, msg::AbortAck{{{ref, msg::AbortOutcome::kStopped}}});
  CHECK(w.take_only_assigned().second.task_id == task_id("next"));
  w.run_for(10'000);
  for (auto& [to, abort] : w.take_to_nodes<msg::Abort>()) CHECK(abort.ref != ref);
}

TEST_CASE("a result that crosses with a cancel is discarded and acknowledged") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.cancel("t");
  w.result(node, ref);
  CHECK(w.status("t") == TaskStatus::kAborted);
  CHECK(w.take_to_nodes<msg::ResultAck>().at(0).second.code == ErrorCode::kResultDiscarded);
}

TEST_CASE("a late result of a lost node counts and the newer attempt is aborted") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [first, ref] = w.take_only_assigned();
  w.ack(first, ref);
  w.state(1, ProviderState::kLost);
  w.join(2);
  auto [second, again] = w.take_only_assigned();
  w.ack(second, again);
  // The lost node wakes up: its session joins again, holding the old attempt.
  w.join(1, 1, {ref});
  auto aborted = w.take_to_nodes<msg::Abort>();
  REQUIRE(aborted.size() == 1);
  CHECK(aborted[0].first == 1);
  w.result(1, ref, "late");
  CHECK(w.status("t") == TaskStatus::kCompleted);
  CHECK(w.take_delivered().at(0).data.view() == "late");
  aborted = w.take_to_nodes<msg::Abort>();
  REQUIRE(aborted.size() == 1);
  CHECK(aborted[0].first == 2);
  CHECK(aborted[0].second.ref == again);
  // The newer attempt's own result changes nothing.
  w.result(2, again, "second");
  CHECK(w.take_delivered().empty());
  CHECK(w.task("t").result.view() == "late");
}

TEST_CASE("results are taken only from the session they were assigned to") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  const unsigned other = node == 1 ? 2 : 1;
  w.result(other, ref, "forged");
  CHECK(w.status("t") == TaskStatus::kSent);
  AssignmentRef wrong = ref;
  wrong.epoch = 6;
  w.result(node, wrong, "old epoch");
  wrong = ref;
  wrong.attempt = 2;
  w.result(node, wrong, "never issued");
  CHECK(w.status("t") == TaskStatus::kSent);
  for (auto& [to, ack] : w.take_to_nodes<msg::ResultAck>())
    CHECK(ack.code == ErrorCode::kResultDiscarded);
  wrong.task_id = task_id("unknown");
  w.result(node, wrong);
  CHECK(w.take_to_nodes<msg::ResultAck>().at(0).second.code == ErrorCode::kUnknownTask);
}

TEST_CASE("a repeated result is acknowledged again and delivered once") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.result(node, ref);
  w.result(node, ref, "other");
  CHECK(w.take_delivered().size() == 1);
  CHECK(w.take_to_nodes<msg::ResultAck>().size() == 2);
  CHECK(w.task("t").result.view() == "picture");
}

TEST_CASE("a node that comes and leaves without end is charged once, and for what it took only") {
  const bool takes = GENERATE(true, false);
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  for (int i = 0; i < 5; ++i) {
    auto [node, ref] = w.take_only_assigned();
    if (takes) w.ack(node, ref);
    w.state(1, ProviderState::kLeft);
    CHECK(w.status("t") == TaskStatus::kUnscheduled);
    w.join(1);
    w.run_for(35'000);  // of its probation
  }
  CHECK(w.task("t").drains == (takes ? 1u : 0u));
  // It is on probation: whoever is not comes first.
  auto [node, ref] = w.take_only_assigned();
  if (takes) w.ack(node, ref);
  w.join(2);
  w.state(1, ProviderState::kLeft);
  w.join(1);
  w.step();
  CHECK(w.take_only_assigned().first == 2);
}

TEST_CASE("a node that left with a task and is back may have it again, though another is busy") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("a");
  w.submit("b");
  for (auto& [node, ref] : w.take_assigned()) w.ack(node, ref);
  w.state(1, ProviderState::kLeft);
  w.join(1);
  w.step();
  CHECK(w.take_only_assigned().first == 1);
  CHECK(w.task("a").losses + w.task("b").losses == 0);
}

TEST_CASE("a log that grows counts for the queue's bytes, and for nothing once it has ended") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  const std::size_t before = w.core.tasks().queued_bytes();
  for (int i = 0; i < 10; ++i) {
    auto [node, ref] = w.take_only_assigned();
    w.from_node(node, msg::AssignAck{{{ref, ErrorCode::kNodeFull, std::string(4096, 'x')}}});
    w.run_for(2'000);
  }
  CHECK(w.core.tasks().queued_bytes() > before + 10 * limits::kMaxLogReasonBytes - 2048);
  w.cancel("t");
  CHECK(w.core.tasks().queued_bytes() == 0);
}

TEST_CASE("the log of a task that is requeued without end keeps its beginning and its end") {
  Config config;
  config.max_drains = 1000;
  World w(config);
  w.snapshot({World::entry(1)});
  w.submit("t");
  for (int i = 0; i < 100; ++i) {
    auto [node, ref] = w.take_only_assigned();
    w.ack(node, ref);
    w.give_back(node, ref);
    w.run_for(1'000);
  }
  CHECK(w.task("t").log.size() == limits::kMaxTaskLogEntries);
  CHECK(w.task("t").log.front().reason == "accepted");
  CHECK(w.task("t").log.back().attempt == 101);
}

TEST_CASE("a reason in a task's log is clipped") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.error(node, ref, std::string(limits::kMaxTextBytes, 'x'));
  std::size_t longest = 0;
  for (const LogEntry& entry : w.task("t").log) longest = std::max(longest, entry.reason.size());
  CHECK(longest == limits::kMaxLogReasonBytes);
}
