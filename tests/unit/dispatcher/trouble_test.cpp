// Nodes in trouble: they rest, and the tasks that they were given survive it.
#include "tests/unit/dispatcher/placement/workshop.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::Workshop;
using End = Workshop::End;

TEST_CASE("a sole node that fails everything for a while costs no task its attempts") {
  const std::uint64_t trouble_ms = GENERATE(8'000u, 60'000u, 300'000u);
  const std::size_t slots = GENERATE(1u, 4u);
  CAPTURE(trouble_ms, slots);
  Workshop w;
  const Duration mended = w.now.mono + from_ms(trouble_ms);
  w.add_nodes(1, {.slots = slots, .end = [&](const std::string&) {
                    return w.now.mono < mended ? End::kError : End::kOk;
                  }});
  w.submit_many(20);
  w.work_until_idle(trouble_ms + 60'000);
  CHECK(w.count(TaskStatus::kCompleted) == 20);
  CHECK(w.most_faults(20) <= 2);
}

TEST_CASE("the only task of a sole node survives eight seconds of trouble") {
  Workshop w;
  const Duration mended = w.now.mono + from_ms(8'000);
  w.add_nodes(
      1, {.end = [&](const std::string&) { return w.now.mono < mended ? End::kError : End::kOk; }});
  w.submit_many(1);
  w.work_until_idle(30'000);
  CHECK(w.count(TaskStatus::kCompleted) == 1);
}

TEST_CASE("trouble that all nodes have at once costs no task its attempts") {
  Workshop w;
  const Duration mended = w.now.mono + from_ms(8'000);
  w.add_nodes(
      4, {.end = [&](const std::string&) { return w.now.mono < mended ? End::kError : End::kOk; }});
  w.submit_many(20);
  w.work_until_idle(60'000);
  CHECK(w.count(TaskStatus::kCompleted) == 20);
}

TEST_CASE("of two nodes one fails everything: the other does the work, and it is seldom asked") {
  Workshop w;
  w.add_nodes(1, {.run_ms = 10, .end = [](const std::string&) { return End::kError; }});
  w.add_nodes(1, {.run_ms = 1000});
  w.submit_many(60);
  CHECK(w.work_until_idle(120'000) < 62'000);
  CHECK(w.count(TaskStatus::kCompleted) == 60);
  CHECK(w.core.providers().records().at(*NodeId::parse("node-1")).failed <= 10);
}

TEST_CASE("a task that fails everywhere ends after five errors, and nothing else waits for it") {
  const unsigned nodes = GENERATE(1u, 2u, 5u);
  CAPTURE(nodes);
  Workshop w;
  w.add_nodes(nodes, {.end = [](const std::string& task) {
                return task == "bad" ? End::kError : End::kOk;
              }});
  w.submit("bad");
  w.submit_many(20);
  w.work_for(1'500);
  CHECK(w.count(TaskStatus::kCompleted) == 20);
  CHECK(w.work_until_idle(60'000) < 30'000);
  CHECK(w.task("bad").status == TaskStatus::kFailed);
  CHECK(w.task("bad").faults == 5);
  CHECK(w.task("bad").code == ErrorCode::kTaskError);
}

TEST_CASE("after its first error a task goes to another node at once, after more it waits longer") {
  Workshop w;
  std::vector<Duration> tried;
  w.add_nodes(2, {.run_ms = 10, .end = [&](const std::string&) {
                    if (tried.empty() || w.now.mono - tried.back() > from_ms(10))
                      tried.push_back(w.now.mono);
                    return End::kError;
                  }});
  w.submit_many(1);
  w.work_until_idle(60'000);
  REQUIRE(w.task("t0").faults == 5);
  std::vector<Duration> ends;
  for (const LogEntry& entry : w.task("t0").log)
    if (entry.reason.starts_with("the node reported"))
      ends.push_back(from_ms(entry.at_ms) - from_ms(w.task("t0").created_ms));
  REQUIRE(ends.size() == 4);  // the fifth is told with the end
  CHECK(ends[1] - ends[0] < from_ms(100));
  CHECK(ends[2] - ends[1] >= from_ms(1'500));
  CHECK(ends[3] - ends[2] >= from_ms(3'000));
}

TEST_CASE("tasks that failed together do not come back together") {
  Config config;
  config.prefetch = 0;
  Workshop w(config);
  w.add_nodes(1, {.slots = 20, .end = [](const std::string&) { return End::kError; }});
  w.submit_many(20);
  w.work_for(30);
  std::set<Duration> back;
  for (int i = 0; i < 20; ++i) {
    const Task& task = w.task("t" + std::to_string(i));
    REQUIRE(task.faults == 1);
    const Duration not_before = w.core.placement().entry(task)->not_before;
    CHECK(not_before - w.now.mono >= from_ms(700));
    CHECK(not_before - w.now.mono <= from_ms(1'250));
    back.insert(not_before);
  }
  CHECK(back.size() >= 15);
}

TEST_CASE("a task near its end is tried again before it") {
  Workshop w;
  w.add_nodes(1, {.end = [](const std::string&) { return End::kError; }});
  TaskSpec spec;
  spec.max_attempts = 1000;
  spec.ttl_ms = 10'000;
  w.submit_many(1, spec);
  w.work_until_idle(11'000);
  CHECK(w.task("t0").code == ErrorCode::kExpired);
  CHECK(w.task("t0").faults >= 4);
}

TEST_CASE("a task that is held back and a node that rests say so") {
  Workshop w;
  w.add_nodes(1, {.end = [](const std::string&) { return End::kError; }});
  w.submit("a");
  w.work_for(30);
  CHECK(w.waiting("a").find("not to be tried again for another ") == 0);
  CHECK(w.waiting("a").find(" ms, after 1 error") != std::string::npos);
  CHECK_FALSE(w.node_map(1).contains("trouble"));
  w.submit("b");
  w.submit("c");
  w.work_for(60);
  w.submit("d");
  CHECK(w.waiting("d").find("node-1 rests for another ") == 0);
  CHECK(w.waiting("d").find(" s: 3 tasks in a row did not complete") != std::string::npos);
  const ValueMap status = w.status_of("d");
  const ValueList& candidates = get_list(status, "candidates");
  REQUIRE(candidates.size() == 1);
  CHECK(get_string(std::get<ValueMap>(candidates[0].v), "state") == "rest after failures");
  const ValueMap map = w.node_map(1);
  CHECK(get_uint(map, "probation_ms") > 0);
  CHECK(get_string(map, "trouble") == "3 tasks in a row did not complete");
}

TEST_CASE("a sole node that fails everything is tried with one task, less and less often") {
  Workshop w;
  w.add_nodes(1, {.slots = 4, .end = [](const std::string&) { return End::kError; }});
  w.submit_many(20);
  w.work_for(100);
  std::vector<std::uint64_t> runs;
  for (int s = 0; s < 64; ++s) {
    const std::uint64_t before = w.runs;
    w.work_for(1'000);
    runs.push_back(w.runs - before);
  }
  // After rests of 1, 2, 4, 8, 16 and 32 s.
  CHECK(*std::ranges::max_element(runs) == 1);
  CHECK(std::ranges::count(runs, 1u) == 6);
}

// ---- nodes that can run nothing

TEST_CASE("a node that can run nothing gives tasks back, and nobody is blamed") {
  Workshop w;
  bool broken = true;
  w.add_nodes(1, {.end = [&](const std::string&) { return broken ? End::kReturn : End::kOk; }});
  w.submit_many(20);
  w.work_for(120'000, 100);
  CHECK(w.count(TaskStatus::kUnscheduled) == 20);
  for (int i = 0; i < 20; ++i) {
    const Task& task = w.task("t" + std::to_string(i));
    CHECK(task.faults + task.losses + task.drains == 0);
  }
  CHECK(w.runs < 15);  // it rests for longer and longer
  CHECK(w.waiting("t0").find("node-1 rests for another ") == 0);
  CHECK(w.waiting("t0").find("it can run nothing now") != std::string::npos);
  CHECK(get_string(w.node_map(1), "trouble") == "can run nothing now: no scratch folder");
  CHECK(get_uint(w.node_map(1), "probation_ms") > 0);

  SECTION("a result shows that it is mended") {
    broken = false;
    w.work_until_idle(40'000);
    CHECK(w.count(TaskStatus::kCompleted) == 20);
  }
  SECTION("so does a HELLO") {
    broken = false;
    w.join(1);
    CHECK(w.work_until_idle(5'000) < 2'000);
  }
  CHECK_FALSE(w.node_map(1).contains("trouble"));
  CHECK(get_uint(w.node_map(1), "probation_ms") == 0);
}

TEST_CASE("what a node gave back since it can run nothing is done elsewhere at once") {
  Workshop w;
  w.add_nodes(1, {.end = [](const std::string&) { return End::kReturn; }});
  w.add_nodes(1, {});
  w.submit_many(20);
  CHECK(w.work_until_idle(5'000) < 1'000);
  CHECK(w.count(TaskStatus::kCompleted) == 20);
}

// ---- nodes with no room beside their slots

TEST_CASE("nodes that take no task beside their slots are as fast as others") {
  Workshop w;
  w.add_nodes(5, {.room = 1, .run_ms = 50});
  w.submit_many(100);
  CHECK(w.work_until_idle(5'000) <= 1'300);  // 1 s, and 10 ms between two tasks, which is one step
  CHECK(w.count(TaskStatus::kCompleted) == 100);
  CHECK(w.refusals == 5);  // one each
}

TEST_CASE("nodes that count unacknowledged results for their room are asked again in no time") {
  Workshop w;
  w.add_nodes(5, {.room = 1, .keeps_finished = true, .run_ms = 50});
  w.submit_many(100);
  CHECK(w.work_until_idle(5'000) <= 1'700);
  CHECK(w.count(TaskStatus::kCompleted) == 100);
}

TEST_CASE("a node that refused a prefetched task is asked again once it has started anew") {
  Workshop w;
  w.add_nodes(1, {.room = 1, .run_ms = 50});
  w.submit_many(10);
  w.work_for(200);
  CHECK(w.refusals == 1);
  w.node(1).room = 2;
  w.work_for(100);
  CHECK(w.core.providers().sessions().begin()->second->outstanding() <= 1);
  w.state(1, ProviderState::kLeft);
  w.join(1);
  w.step();
  CHECK(w.core.providers().sessions().begin()->second->outstanding() == 2);
}

TEST_CASE("a node that refuses though it has slots free is asked again after a short moment") {
  Workshop w;
  w.add_nodes(1, {.room = 0});
  w.submit_many(1);
  w.work_for(1'000);
  CHECK(w.refusals >= 5);
  CHECK(w.refusals <= 8);
  w.refusals = 0;
  w.work_for(10'000);
  CHECK(w.refusals <= 10);  // the moments have grown to a second
  w.node(1).room = 1;
  w.work_until_idle(2'000);
  CHECK(w.count(TaskStatus::kCompleted) == 1);
  CHECK(w.task("t0").faults + w.task("t0").losses + w.task("t0").drains == 0);
}
