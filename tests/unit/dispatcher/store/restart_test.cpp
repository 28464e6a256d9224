// What a dispatcher does with the tasks of the one before it.
#include "tests/unit/dispatcher/store/durable_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::test;

namespace {

/// Lives on one store; commits end at once.
struct Lives {
  Lives() { next(); }

  void next(std::uint64_t down_ms = 100) {
    Now now = World::kStart;
    if (w) {
      settle();
      now = w->now;
      now.mono += from_ms(down_ms);
      now.wall += from_ms(down_ms);
    }
    w = std::make_unique<DurableWorld>(store, ++epoch, now);
  }
  void settle() { w->settle(); }
  /// Until what nobody waits for is on the disk, too.
  void settle_all() {
    w->run_for(to_ms(kLazyTime) + 1);
    settle();
  }
  void submit(const std::string& id, TaskSpec spec = {}) {
    w->from_client(msg::Submit{
        1, msg::WatchLevel::kResult, {World::submission(id, std::move(spec), "prompt of " + id)}});
    settle();
  }
  /// A task that node 1 runs when the dispatcher ends.
  AssignmentRef running(const std::string& id, TaskSpec spec = {}) {
    w->snapshot();
    w->join(1);
    submit(id, std::move(spec));
    const auto [node, ref] = w->take_only_assigned();
    w->ack(1, ref);
    settle();
    return ref;
  }

  StoreDouble store;
  std::unique_ptr<DurableWorld> w;
  std::uint64_t epoch = 0;
};

}  // namespace

TEST_CASE("what still runs is kept, under its old name") {
  Lives lives;
  const AssignmentRef ref = lives.running("t1");
  lives.next();
  CHECK(lives.w->status("t1") == TaskStatus::kUnscheduled);
  lives.w->snapshot({World::entry(1, 1, {ref})});
  CHECK(lives.w->status("t1") == TaskStatus::kSent);
  CHECK(lives.w->take_assigned().empty());
  CHECK(lives.w->take_to_nodes<msg::Keep>().size() == 1);
  lives.w->result(1, ref, "picture");
  lives.settle();
  CHECK(lives.w->status("t1") == TaskStatus::kCompleted);
  CHECK(lives.w->task("t1").issued.size() == 1);
}

TEST_CASE("a node that finished meanwhile delivers, before or after it is heard to hold the task") {
  Lives lives;
  const AssignmentRef ref = lives.running("t1");
  lives.next();
  const bool held = GENERATE(true, false);
  lives.w->snapshot({held ? World::entry(1, 1, {ref}) : World::entry(1)});
  lives.w->result(1, ref, "picture");
  CHECK(lives.w->take_to_nodes<msg::ResultAck>().empty());  // not before the commit
  lives.settle();
  const auto acks = lives.w->take_to_nodes<msg::ResultAck>();
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].second.code == ErrorCode::kOk);
  CHECK(lives.w->status("t1") == TaskStatus::kCompleted);
}

TEST_CASE("an error that was under way counts") {
  Lives lives;
  const AssignmentRef ref = lives.running("t1");
  lives.next();
  lives.w->snapshot({World::entry(1), World::entry(2)});
  lives.w->error(1, ref);
  CHECK(lives.w->task("t1").faults == 1);
  CHECK(lives.w->take_only_assigned().first == 2);  // not where it failed
}

TEST_CASE("who does not report within the lost time after the link is up is gone, and not blamed") {
  Lives lives;
  lives.running("t1");
  lives.next();
  lives.w->broker_silent = true;
  lives.w->run_for(20'000);  // no broker: nobody could have reported
  CHECK(lives.w->task("t1").recovering);
  lives.w->broker_silent = false;
  lives.w->snapshot({World::entry(2)});
  lives.w->run_for(4'900);
  CHECK(lives.w->take_assigned().empty());
  lives.w->run_for(200);
  const auto [node, ref] = lives.w->take_only_assigned();
  CHECK(node == 2);
  CHECK(ref.attempt == 2);
  CHECK(ref.epoch == 2);
  CHECK(lives.w->task("t1").losses == 0);
}

TEST_CASE("what waits does not wait for what recovers") {
  Lives lives;
  lives.running("t1");
  lives.submit("t2");
  lives.next();
  lives.w->snapshot({World::entry(2)});
  CHECK(lives.w->take_only_assigned().second.task_id == task_id("t2"));
}

TEST_CASE("an old attempt that reports too late may still win, and the new one is aborted") {
  Lives lives;
  const AssignmentRef old = lives.running("t1");
  lives.next();
  lives.w->snapshot({World::entry(2)});
  lives.w->run_for(6'000);
  const auto [node, ref] = lives.w->take_only_assigned();
  lives.w->ack(2, ref);
  lives.w->join(1, 1, {old});
  CHECK(lives.w->take_to_nodes<msg::Abort>().size() == 1);  // of the old one: it was too slow
  lives.w->result(1, old, "late picture");                  // but it had finished
  lives.settle();
  CHECK(lives.w->status("t1") == TaskStatus::kCompleted);
  CHECK(lives.w->task("t1").result.view() == "late picture");
  const auto aborts = lives.w->take_to_nodes<msg::Abort>();
  REQUIRE(aborts.size() == 1);
  CHECK(aborts[0].first == 2);
}

TEST_CASE("an attempt that was never written down is powerless, whatever its number") {
  Lives lives;
  lives.w->snapshot();
  lives.submit("t1");
  lives.w->join(1);  // assigned, but the commit never ends
  const AssignmentRef lost = lives.w->take_only_assigned().second;
  lives.w->running.reset();
  lives.next();
  lives.w->snapshot({World::entry(1, 1, {lost})});
  const auto aborts = lives.w->take_to_nodes<msg::Abort>();
  REQUIRE(aborts.size() == 1);
  CHECK(aborts[0].second.ref == lost);
  const AssignmentRef again = lives.w->take_only_assigned().second;
  CHECK(again.attempt == lost.attempt);
  CHECK(again.epoch != lost.epoch);
  lives.w->result(1, lost, "of before");
  CHECK(lives.w->status("t1") != TaskStatus::kCompleted);
  lives.w->result(1, again, "of now");
  lives.settle();
  CHECK(lives.w->task("t1").result.view() == "of now");
}

TEST_CASE("a node that comes and leaves charges a task once, also over restarts") {
  Lives lives;
  lives.running("t");
  for (int life = 0; life < 3; ++life) {
    CAPTURE(life);
    lives.w->state(1, ProviderState::kLeft);
    CHECK(lives.w->task("t").drains == 1);
    lives.next();
    lives.w->snapshot();
    lives.w->join(1);
    const auto [node, ref] = lives.w->take_only_assigned();
    lives.w->ack(node, ref);
    lives.settle();
  }
}

TEST_CASE("a node that an operator drained stays drained") {
  Lives lives;
  lives.w->snapshot({World::entry(1)});
  lives.w->from_client(msg::Drain{3, "node-1", true});
  CHECK(lives.w->take_to_client<msg::Done>().empty());  // a promise, too
  lives.settle();
  CHECK(lives.w->take_to_client<msg::Done>().size() == 1);
  lives.next();
  lives.w->snapshot({World::entry(1)});
  lives.submit("t1");
  CHECK(lives.w->take_assigned().empty());
  lives.w->from_client(msg::Drain{4, "node-1", false});
  CHECK(lives.w->take_assigned().size() == 1);
}

TEST_CASE("a task that recovers can be cancelled and can expire") {
  Lives lives;
  TaskSpec spec;
  spec.ttl_ms = 3'000;
  const AssignmentRef ref = lives.running("t1", spec);
  lives.next();
  lives.w->snapshot();
  SECTION("cancelled") {
    lives.w->from_client(msg::Cancel{2, {task_id("t1")}});
    CHECK(lives.w->status("t1") == TaskStatus::kAborted);
  }
  SECTION("expired: its time went on while the dispatcher was down") {
    lives.w->run_for(2'950);
    CHECK(lives.w->status("t1") == TaskStatus::kFailed);
    CHECK(lives.w->task("t1").code == ErrorCode::kExpired);
  }
  lives.settle();
  lives.w->join(1, 1, {ref});
  CHECK(lives.w->take_to_nodes<msg::Abort>().size() == 1);
  lives.w->result(1, ref);
  CHECK(lives.w->task("t1").result.empty());
  lives.next();
  CHECK(is_terminal(lives.w->status("t1")));
}

TEST_CASE("a result that was dropped reads so after a restart, too") {
  Lives lives;
  const AssignmentRef ref = lives.running("t1");
  lives.w->result(1, ref, "picture");
  lives.settle();
  const auto told = [&] {
    lives.w->from_client(msg::StatusQuery{4, {task_id("t1")}});
    lives.settle();
    return lives.w->take_to_client<msg::Tasks>().at(0).tasks.at(0);
  };
  CHECK(get_string(told(), "result") == "waiting");
  lives.w->advance(24ull * 3'600'000);
  lives.w->step();
  lives.settle_all();
  const ValueMap before = told();
  CHECK(get_string(before, "result") == "dropped");
  lives.next();
  const ValueMap after = told();
  CHECK(get_string(after, "result") == "dropped");
  CHECK(get_string(after, "error") == get_string(before, "error"));
  CHECK(get_string(after, "error").find("nobody fetched it") != std::string::npos);
}

TEST_CASE("a restart during the recovery recovers again") {
  Lives lives;
  const AssignmentRef ref = lives.running("t1");
  lives.next();
  lives.w->step();
  lives.next();
  CHECK(lives.w->task("t1").recovering);
  lives.w->snapshot({World::entry(1, 1, {ref})});
  CHECK(lives.w->status("t1") == TaskStatus::kSent);
}

TEST_CASE("a submission is idempotent across restarts") {
  Lives lives;
  lives.running("t1");
  lives.next();
  CHECK_NOTHROW(lives.submit("t1"));
  auto accepted = lives.w->take_to_client<msg::Accepted>();
  REQUIRE(accepted.size() == 1);
  CHECK(accepted[0].verdicts[0].code == ErrorCode::kOk);
  CHECK(lives.w->core.tasks().size() == 1);
  lives.w->from_client(
      msg::Submit{2, msg::WatchLevel::kResult, {World::submission("t1", {}, "another")}});
  lives.settle();
  accepted = lives.w->take_to_client<msg::Accepted>();
  REQUIRE(accepted.size() == 1);
  CHECK(accepted[0].verdicts[0].code == ErrorCode::kIdConflict);
}

TEST_CASE("results, histories and failed tasks keep their times across restarts") {
  Lives lives;
  const AssignmentRef ref = lives.running("done");
  lives.w->result(1, ref);
  lives.settle();
  const auto hours = [](std::uint64_t n) { return n * 3600 * 1000; };
  SECTION("a result is kept for a day") {
    lives.next(hours(23));
    lives.w->step();
    CHECK(lives.w->task("done").result.view() == "picture");
    lives.next(hours(2));
    lives.w->step();
    lives.settle_all();
    CHECK(lives.store.find(task_id("done"))->result.empty());
    CHECK(lives.store.find(task_id("done"))->fetched);
    lives.w->advance(hours(1));  // of its history
    lives.w->step();
    lives.settle_all();
    CHECK(lives.store.size() == 0);
  }
  SECTION("a fetched one for an hour, without its data") {
    lives.w->fetch("done");
    lives.settle();
    CHECK(!lives.store.find(task_id("done"))->fetched);  // nobody waits for that
    lives.settle_all();
    CHECK(lives.store.find(task_id("done"))->result.empty());
    lives.next(hours(1) / 2);
    lives.w->step();
    CHECK(lives.w->task("done").fetched);
    lives.w->advance(hours(1) - 1'000);  // it begins anew: when it was fetched is not stored
    lives.w->step();
    CHECK(lives.w->task("done").fetched);
    lives.w->advance(1'000);
    lives.w->step();
    lives.settle_all();
    CHECK(lives.store.size() == 0);
  }
}

TEST_CASE("a failed task can be replayed and purged after a restart") {
  Lives lives;
  TaskSpec spec;
  spec.max_attempts = 1;
  const AssignmentRef ref = lives.running("t1", spec);
  lives.w->error(1, ref);
  lives.settle();
  REQUIRE(lives.w->status("t1") == TaskStatus::kFailed);
  lives.next();
  lives.w->snapshot({World::entry(1)});

  lives.w->from_client(msg::Replay{7, {{task_id("t1"), task_id("t2")}}});
  lives.settle();
  auto accepted = lives.w->take_to_client<msg::Accepted>();
  REQUIRE(accepted.size() == 1);
  CHECK(accepted[0].verdicts[0].code == ErrorCode::kOk);
  CHECK(accepted[0].verdicts[0].task_id == task_id("t2"));
  const auto sent = lives.w->take_to_nodes<msg::Assign>();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].second.payload.view() == "prompt of t1");
  CHECK(lives.w->status("t1") == TaskStatus::kFailed);
  CHECK(lives.w->task("t1").log.back().reason == "replayed as t2");

  const auto verdict = [&](const Message& message) {
    lives.w->from_client(message);
    lives.settle();
    if (auto purged = lives.w->take_to_client<msg::Purged>(); !purged.empty())
      return purged[0].verdicts[0].code;
    return lives.w->take_to_client<msg::Accepted>().at(0).verdicts[0].code;
  };
  CHECK(verdict(msg::Replay{8, {{task_id("t1"), task_id("t2")}}}) == ErrorCode::kOk);  // again
  CHECK(lives.w->core.tasks().size() == 2);
  CHECK(verdict(msg::Replay{8, {{task_id("t2"), task_id("t3")}}}) == ErrorCode::kNotFailed);
  CHECK(verdict(msg::Replay{8, {{task_id("t9"), task_id("t3")}}}) == ErrorCode::kUnknownTask);
  CHECK(verdict(msg::Replay{8, {{task_id("t1"), task_id("t1")}}}) == ErrorCode::kIdConflict);
  CHECK(verdict(msg::Purge{9, {task_id("t2")}}) == ErrorCode::kNotFailed);
  CHECK(verdict(msg::Purge{9, {task_id("t1")}}) == ErrorCode::kOk);
  CHECK(verdict(msg::Purge{9, {task_id("t1")}}) == ErrorCode::kUnknownTask);
  CHECK(lives.store.find(task_id("t1")) == nullptr);
}

TEST_CASE("failed tasks go by limits of their own") {
  Config config;
  config.max_failed_bytes = 10'000;
  World w(config);
  w.snapshot();
  w.join(1);
  TaskSpec spec;
  spec.max_attempts = 1;
  for (const std::string id : {"t1", "t2", "t3"}) {
    w.submit(id, spec, msg::WatchLevel::kNone, "client", std::string(4'000, 'x'));
    w.error(1, w.take_only_assigned().second);
    w.run_for(2'000);
  }
  CHECK(!w.core.tasks().knows(task_id("t1")));  // the oldest
  CHECK(w.status("t3") == TaskStatus::kFailed);
  w.advance(8ull * 24 * 3600 * 1000);
  w.step();
  CHECK(w.core.tasks().size() == 0);
}

TEST_CASE("a disk short of room: results first") {
  Lives lives;
  const AssignmentRef ref = lives.running("t1");
  StoreReport report;
  SECTION("low: no new tasks, everything else goes on") {
    report.state = StoreReport::State::kLow;
    lives.w->core.handle(report);
    lives.submit("t2");
    const auto accepted = lives.w->take_to_client<msg::Accepted>();
    REQUIRE(accepted.size() == 2);
    CHECK(accepted[1].verdicts[0].code == ErrorCode::kStoreFull);
    lives.w->result(1, ref);
    lives.settle();
    CHECK(lives.w->take_to_nodes<msg::ResultAck>().size() == 1);
  }
  SECTION("full: no new work either; nothing is promised until it was written") {
    lives.submit("t2");
    lives.w->take_to_client<msg::Accepted>();
    lives.w->result(1, ref);
    lives.w->take_to_nodes<msg::Assign>();
    lives.store.next_fault = Fault::kNoSpace;
    CHECK(lives.w->finish_commit());
    lives.w->from_client(msg::Submit{
        5, msg::WatchLevel::kResult, {World::submission("t3", {}, "x"), World::submission("t4")}});
    lives.w->join(2, 1);
    CHECK(lives.w->take_assigned().empty());
    CHECK(lives.w->take_to_nodes<msg::ResultAck>().empty());
    const auto refused = lives.w->take_to_client<msg::Accepted>();  // a refusal promises nothing
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].verdicts[0].code == ErrorCode::kStoreFull);
    lives.settle();
    CHECK(lives.w->take_to_nodes<msg::ResultAck>().size() == 1);
    lives.submit("t5");
    CHECK(lives.w->take_to_client<msg::Accepted>().at(0).verdicts[0].code == ErrorCode::kOk);
  }
}

TEST_CASE("what was measured of nodes, and how urgent tasks are, outlives the dispatcher") {
  Lives lives;
  lives.w->snapshot({World::entry(1), World::entry(2)});
  for (int i = 0; i < 6; ++i) {
    lives.submit("t" + std::to_string(i));
    for (auto at = lives.w->take_assigned(); !at.empty(); at = lives.w->take_assigned()) {
      const auto& [node, ref] = at.at(0);
      lives.w->ack(node, ref);
      lives.w->run_for(node == 1 ? 1000 : 4000);
      if (i == 2 && ref.attempt == 1)
        lives.w->error(node, ref);
      else
        lives.w->result(node, ref);
      lives.settle();
    }
  }
  lives.submit("waits", [] {
    TaskSpec spec;
    spec.needs.model = "flux";
    return spec;
  }());
  lives.w->from_client(msg::Reprioritise{9, 8, {task_id("waits")}});
  const auto expectation = [&](const char* node) {
    const auto& record = lives.w->core.providers().records().at(*NodeId::parse(node));
    return lives.w->core.providers().measures().expect(record.measured, 0, 0);
  };
  const auto counters = [&](const char* node) {
    const auto& r = lives.w->core.providers().records().at(*NodeId::parse(node));
    return std::tuple(r.assigned, r.completed, r.failed, r.lost);
  };
  const Expectation fast = expectation("node-1"), slow = expectation("node-2");
  const auto before = std::pair(counters("node-1"), counters("node-2"));
  CHECK(fast.run_s < 0.5 * slow.run_s);
  lives.w->run_for(5001);
  lives.settle();
  lives.next();
  lives.w->core.check();
  for (const auto& [node, known] : {std::pair("node-1", fast), std::pair("node-2", slow)}) {
    CHECK(expectation(node).known);
    CHECK(expectation(node).run_s == Approx(known.run_s).epsilon(0.15));
    CHECK(expectation(node).success == Approx(known.success).margin(0.05));
  }
  CHECK(std::pair(counters("node-1"), counters("node-2")) == before);
  CHECK(lives.w->task("waits").priority() == 8);
}

TEST_CASE("what was measured waits for a while, and for no other commit") {
  Lives lives;
  const AssignmentRef ref = lives.running("t");
  lives.w->run_for(1000);
  lives.w->result(1, ref);
  lives.settle();
  lives.w->fetch("t");
  lives.settle_all();
  CHECK(lives.store.measures().empty());
  CHECK(lives.w->core.has_changes());
  lives.w->run_for(5000);
  lives.settle();
  CHECK(lives.store.measures().size() == 1);
  CHECK_FALSE(lives.w->core.has_changes());
}

TEST_CASE(
    "bytes that are to be written are counted until they are; without a store there are none") {
  const bool durable = GENERATE(true, false);
  Config config;
  config.durable = durable;
  World w(config);
  w.snapshot({World::entry(1)});
  w.submit("t", {}, msg::WatchLevel::kResult, "client", std::string(1000, 'x'));
  CHECK(w.core.uncommitted_bytes() == (durable ? 1000 : 0));
  const auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.result(node, ref, std::string(500, 'y'));
  CHECK(w.core.uncommitted_bytes() == (durable ? 1500 : 0));
  w.core.take_changes(w.now);
  CHECK(w.core.uncommitted_bytes() == 0);
}
