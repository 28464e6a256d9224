// Which node gets a task: speed, what it has loaded, what it costs.
#include "tests/unit/dispatcher/placement/policy_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::of_model;
using genai::dispatcher::test::PolicyFleet;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::with;
using genai::dispatcher::test::with_models;
using genai::dispatcher::test::World;

// ---- speed

TEST_CASE("the faster node gets more, and the slow one only what it is good for") {
  PolicyFleet w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.teach(1, 1000);
  w.teach(2, 10'000);
  w.submit("x");
  w.take_all();
  CHECK(w.on(1).size() == 1);
  w.submit("y");  // node 1 is done with both in 2 s
  w.take_all();
  CHECK(w.on(2).empty());
  for (int i = 0; i < 30; ++i) w.submit("z" + std::to_string(i));
  w.take_all();
  CHECK(w.on(2).size() >= 1);  // the end of the queue would wait for longer
  // The head of the queue still goes to node 1.
  w.run_for(1000);
  w.end(1);
  w.take_all();
  CHECK(std::ranges::count(w.on(1), std::string("y")) == 1);
}

TEST_CASE("a node that takes longer than expected is waited for only so long") {
  PolicyFleet w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.teach(1, 1000);
  w.teach(2, 10'000);
  w.submit("hangs");
  w.take_all();
  w.submit("waits");
  w.take_all();
  CHECK(w.on(2).empty());
  w.run_for(60'000);  // node 1 is a minute late
  w.take_all();
  CHECK(w.on(2) == std::vector<std::string>{"waits"});
}

TEST_CASE("a node that fails half of its tasks counts as twice as slow") {
  PolicyFleet w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.teach(1, 1000, 6);
  w.teach(2, 1100, 6);
  w.submit("a");
  w.take_all();
  CHECK(w.on(1) == std::vector<std::string>{"a"});
  const AssignmentRef ref = w.running[0].second;
  w.running.clear();
  w.error(1, ref);
  w.take_all();
  CHECK(w.on(2) == std::vector<std::string>{"a"});  // never where it failed, if another is free
  w.run_for(1100);
  w.end(2);
  for (int i = 0; i < 2;
       ++i) {  // two more failures of others; a success between keeps it off trial
    w.from_client(msg::Drain{3, "node-2", true});
    const std::string id = "f" + std::to_string(i);
    w.submit(id, with([](TaskSpec& s) { s.max_attempts = 1; }));
    w.take_all();
    w.run_for(1000);
    const AssignmentRef failed = w.running[0].second;
    w.running.clear();
    w.error(1, failed);
    w.teach(1, 1000, 1);
    w.from_client(msg::Drain{3, "node-2", false});
  }
  w.submit("b");
  w.take_all();
  CHECK(w.on(2) == std::vector<std::string>{"b"});
}

TEST_CASE("a prefetched task is taken back when another node could begin sooner") {
  PolicyFleet w;
  w.snapshot({World::entry(1)});
  w.teach(1, 10'000);
  for (const char* id : {"a", "b", "c"}) w.submit(id);
  w.take_all();
  CHECK(w.on(1) == std::vector<std::string>{"a", "b"});  // b is prefetched
  w.cancel("c");
  w.join(2);  // free, and as fast as anybody
  auto asked = w.take_to_nodes<msg::Abort>();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].second.code == ErrorCode::kTakenBack);
  CHECK(asked[0].second.ref.task_id == task_id("b"));
  w.run_for(1000);
  CHECK(w.take_to_nodes<msg::Abort>().empty());  // asked once

  SECTION("it has not begun") {
    w.from_node(1, msg::AbortAck{{{asked[0].second.ref, msg::AbortOutcome::kStopped}}});
    std::erase_if(w.running, [](const auto& r) { return r.second.task_id == task_id("b"); });
    w.take_all();
    CHECK(w.on(2) == std::vector<std::string>{"b"});
    CHECK(w.task("b").losses + w.task("b").faults + w.task("b").drains == 0);
  }
  SECTION("it has") {
    w.from_node(1, msg::AbortAck{{{asked[0].second.ref, msg::AbortOutcome::kStarted}}});
    CHECK(w.status("b") == TaskStatus::kSent);
    w.end(1);  // a
    w.end(1);
    CHECK(w.status("b") == TaskStatus::kCompleted);
  }
  SECTION("it is just done") {
    w.from_node(1, msg::AbortAck{{{asked[0].second.ref, msg::AbortOutcome::kFinished}}});
    CHECK(w.status("b") == TaskStatus::kSent);
    w.end(1);
    w.end(1);
    CHECK(w.status("b") == TaskStatus::kCompleted);
  }
}

// ---- models

TEST_CASE("a task waits for the node that has its model, until loading it elsewhere is sooner") {
  PolicyFleet w;
  w.snapshot({with_models(1, {"a"}), with_models(2, {"b"})});
  w.teach(2, 1000, 3, of_model("b"));
  w.teach(1, 1000, 3, of_model("a"));
  for (int i = 0; i < 5; ++i) w.submit("t" + std::to_string(i), of_model("a"));
  w.take_all();
  CHECK(w.on(1).size() == 2);  // one of them prefetched
  CHECK(w.on(2).empty());      // loading would take 10 s, and loading b again as much
  for (int i = 5; i < 60; ++i) w.submit("t" + std::to_string(i), of_model("a"));
  w.take_all();
  CHECK(w.on(2).size() >= 1);
}

TEST_CASE("two models do not make one node load all the time") {
  PolicyFleet w;
  w.snapshot({with_models(1, {"a"})});
  std::string loaded = "a";
  int loads = 0;
  for (int i = 0; i < 200; ++i) w.submit("t" + std::to_string(i), of_model(i % 2 ? "a" : "b"));
  for (int done = 0; done < 200; ++done) {
    w.take_all();
    REQUIRE_FALSE(w.running.empty());
    const std::string model(w.task(w.running[0].second.task_id.str()).spec.model());
    const std::uint64_t load_ms = model == loaded ? 0 : 20'000;
    loads += load_ms != 0;
    loaded = model;
    w.run_for(1000 + load_ms);
    w.end(1, load_ms);
    w.load(1, {loaded});
  }
  CHECK(loads <= 8);  // 200 s of work; each residence of 60 s serves at least 40 tasks
}

// ---- cost

TEST_CASE("what a second is worth decides between cheap and fast") {
  PolicyFleet w;
  auto cheap = World::entry(1), fast = World::entry(2);
  cheap.meta.min_cost = 1;
  fast.meta.min_cost = 5;
  w.snapshot({cheap, fast});
  w.teach(1, 10'000);
  w.teach(2, 1000);
  const auto placed = [&](double ratio, double max_cost = TaskSpec::kUnlimited) {
    w.submit("p" + std::to_string(++w.taught), with([&](TaskSpec& s) {
               s.time_to_money_ratio = ratio;
               s.max_cost = max_cost;
             }));
    const auto at = w.take_assigned();
    if (at.empty()) return 0u;
    w.ack(at[0].first, at[0].second);
    w.run_for(at[0].first == 1 ? 10'000 : 1000);
    w.result(at[0].first, at[0].second);
    return at[0].first;
  };
  CHECK(placed(TaskSpec::kUnlimited) == 2);
  CHECK(placed(0) == 1);
  CHECK(placed(0.1) == 1);  // 1 + 1.0 against 5 + 0.1
  CHECK(placed(1) == 2);    // 1 + 10 against 5 + 1
  CHECK(placed(TaskSpec::kUnlimited, 2) == 1);
  CHECK(placed(TaskSpec::kUnlimited, 0.5) == 0);
  w.from_client(msg::StatusQuery{4, {task_id("p" + std::to_string(w.taught))}});
  CHECK(get_string(w.take_to_client<msg::Tasks>().at(0).tasks.at(0), "waiting") ==
        "2 providers cost more than max_cost");
}

TEST_CASE("at a ratio of 0 a task waits for the cheapest node, however long") {
  PolicyFleet w;
  auto cheap = World::entry(1), fast = World::entry(2);
  fast.meta.min_cost = 5;
  w.snapshot({cheap, fast});
  w.teach(1, 10'000);
  w.teach(2, 1000);
  const auto thrifty = with([](TaskSpec& s) { s.time_to_money_ratio = 0; });
  for (int i = 0; i < 2; ++i) w.submit("t" + std::to_string(i), thrifty);
  w.take_all();
  CHECK(w.on(1).size() == 1);
  CHECK(w.on(2).empty());
}
