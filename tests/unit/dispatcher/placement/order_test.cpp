// When a task may run, and before which others: its times, its priority, its tenant's quota.
#include "tests/unit/dispatcher/placement/policy_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::PolicyFleet;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::with;
using genai::dispatcher::test::World;

// ---- time

TEST_CASE("a task is not started before its time, and its ttl counts from then") {
  PolicyFleet w;
  w.snapshot({World::entry(1)});
  const std::uint64_t at = to_ms(w.now.wall) + 10'000;
  w.submit("t", with([&](TaskSpec& s) {
             s.not_before_ms = at;
             s.ttl_ms = 5000;
           }));
  w.run_for(9'999);
  CHECK(w.take_assigned().empty());
  CHECK(w.core.next_deadline() <= w.now.mono + from_ms(1));
  w.run_for(1);
  CHECK(w.take_assigned().size() == 1);
  CHECK(to_ms(w.now.wall) == at);
  CHECK(w.status("t") == TaskStatus::kScheduled);
}

TEST_CASE("a missed deadline ends a task, queued or running, and says so") {
  PolicyFleet w;
  w.snapshot({World::entry(1)});
  const auto soon = with([&](TaskSpec& s) { s.deadline_ms = to_ms(w.now.wall) + 2000; });
  w.submit("runs", soon);
  w.submit("waits", soon);
  w.take_all();
  w.run_for(1990);
  CHECK(w.status("runs") == TaskStatus::kSent);
  w.run_for(10);
  CHECK(w.status("runs") == TaskStatus::kFailed);
  CHECK(w.task("runs").code == ErrorCode::kDeadlineMissed);
  CHECK(w.task("waits").code == ErrorCode::kDeadlineMissed);
  const auto aborts = w.take_to_nodes<msg::Abort>();
  REQUIRE(aborts.size() == 1);
  CHECK(aborts[0].second.code == ErrorCode::kDeadlineMissed);
  CHECK(w.task("waits").log.back().reason.find("in the queue: 1 provider is busy") !=
        std::string::npos);
}

// ---- order

TEST_CASE("what waits can be reprioritised, what does not says why not") {
  Config config;
  config.prefetch = 0;
  PolicyFleet w(config);
  w.snapshot({World::entry(1)});
  for (const char* id : {"running", "first", "last"}) w.submit(id);
  w.take_all();
  w.from_client(msg::Reprioritise{5, 9, {task_id("last"), task_id("running"), task_id("ghost")}});
  const auto replies = w.take_to_client<msg::Reprioritised>();
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].verdicts[0].code == ErrorCode::kOk);
  CHECK(replies[0].verdicts[1].code == ErrorCode::kNotQueued);
  CHECK(replies[0].verdicts[1].detail == "Sent");
  CHECK(replies[0].verdicts[2].code == ErrorCode::kUnknownTask);
  CHECK(w.task("last").log.back().reason == "priority 9 from now on");
  w.end(1);
  w.take_all();
  CHECK(w.on(1) == std::vector<std::string>{"last"});
  w.end(1);
  w.from_client(msg::Reprioritise{6, 1, {task_id("last")}});
  CHECK(w.take_to_client<msg::Reprioritised>()[0].verdicts[0].code == ErrorCode::kAlreadyTerminal);
}

TEST_CASE("a tenant over its quota is told the limit and when to come again") {
  Config config;
  config.quotas["small"] = {1, 2, 1, 0};
  PolicyFleet w(config);
  w.snapshot({World::entry(1, 4)});
  const auto small = with([](TaskSpec& s) { s.tenant = "small"; });
  for (const char* id : {"a", "b", "c"}) CHECK(w.submit(id, small).code == ErrorCode::kOk);
  const auto refused = w.submit("d", small);
  CHECK(refused.code == ErrorCode::kOverQuota);
  CHECK(refused.detail == "tenant 'small' may have 2 queued tasks at once");
  CHECK(refused.retry_after_ms >= 1000);
  CHECK(w.submit("other").code == ErrorCode::kOk);
  w.take_all();
  CHECK(w.on(1) == std::vector<std::string>{"a", "other"});  // one of its own at a time
  w.from_client(msg::StatusQuery{4, {task_id("b")}});
  CHECK(get_string(w.take_to_client<msg::Tasks>().at(0).tasks.at(0), "waiting") ==
        "tenant 'small' has 1 tasks running, its limit");
  w.end(1);
  w.take_all();
  CHECK(w.on(1) == std::vector<std::string>{"other", "b"});
  CHECK(w.submit("d", small).code == ErrorCode::kOk);
}
