// What decides when and where a task runs, beside what it needs: time, cost, models, blame.
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

/// Nodes that take, run and end tasks as long as the test says.
struct Fleet : World {
  using World::World;

  /// Answers all assignments; what was assigned is in `running`.
  void take_all() {
    for (auto& [node, ref] : take_assigned()) {
      ack(node, ref);
      running.emplace_back(node, ref);
    }
  }
  /// The first task of the node ends now.
  void end(unsigned node, std::uint64_t load_ms = 0) {
    const auto it = std::ranges::find(running, node, &std::pair<unsigned, AssignmentRef>::first);
    REQUIRE(it != running.end());
    const AssignmentRef ref = it->second;
    running.erase(it);
    ValueMap info;
    if (load_ms != 0) info["load_ms"] = load_ms;
    from_node(node, msg::Result{{{ref, msg::Outcome::kOk, info, Blob("picture")}}});
  }
  /// Teaches the dispatcher how long a task of that kind takes at the node: nothing else may wait.
  void teach(unsigned node, std::uint64_t ms, int times = 3, TaskSpec spec = {},
             std::uint64_t load_ms = 0) {
    for (const auto& [id, provider] : core.providers().sessions())
      others(node, provider->node_id.str(), true);
    for (int i = 0; i < times; ++i) {
      submit("teach-" + std::to_string(++taught), spec);
      take_all();
      REQUIRE(running.size() == 1);
      REQUIRE(running[0].first == node);
      run_for(ms + load_ms);
      end(node, load_ms);
    }
    for (const auto& [id, provider] : core.providers().sessions())
      others(node, provider->node_id.str(), false);
  }
  std::vector<std::string> on(unsigned node) {
    std::vector<std::string> ids;
    for (const auto& [at, ref] : running)
      if (at == node) ids.push_back(ref.task_id.str());
    return ids;
  }
  void load(unsigned node, std::vector<std::string> models) {
    change(msg::Delta::Beat{session(node), held_by(node), std::move(models)});
  }

  std::vector<std::pair<unsigned, AssignmentRef>> running;
  int taught = 0;

 private:
  void others(unsigned node, const std::string& id, bool on) {
    if (id == "node-" + std::to_string(node)) return;
    from_client(msg::Drain{3, id, on});
  }
  std::vector<AssignmentRef> held_by(unsigned node) {
    std::vector<AssignmentRef> refs;
    for (const auto& [at, ref] : running)
      if (at == node) refs.push_back(ref);
    return refs;
  }
};

TaskSpec with(auto change) {
  TaskSpec spec;
  change(spec);
  return spec;
}

msg::ProviderEntry with_models(unsigned number, std::vector<std::string> loaded) {
  msg::ProviderEntry entry = World::entry(number);
  entry.meta.models = {"a", "b"};
  entry.meta.loaded_models = std::move(loaded);
  return entry;
}
TaskSpec of_model(const std::string& model) {
  return with([&](TaskSpec& s) { s.needs.model = model; });
}

}  // namespace

// ---- time

TEST_CASE("a task is not started before its time, and its ttl counts from then") {
  Fleet w;
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
  Fleet w;
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
  Fleet w(config);
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
  Fleet w(config);
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

// ---- speed

TEST_CASE("the faster node gets more, and the slow one only what it is good for") {
  Fleet w;
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
  Fleet w;
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
  Fleet w;
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
  Fleet w;
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
  Fleet w;
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
  Fleet w;
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
  Fleet w;
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
  Fleet w;
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

// ---- answers

TEST_CASE("accepted says when, or why not") {
  Fleet w;
  w.snapshot({World::entry(1)});
  const auto unknown = w.submit("first");
  CHECK(unknown.estimate == msg::Estimate{});
  CHECK(unknown.detail.empty());
  w.take_all();
  w.run_for(4000);
  w.end(1);
  w.teach(1, 4000, 5);
  const auto first = w.submit("a");
  CHECK(first.estimate.finish_p50_ms > 2000);
  CHECK(first.estimate.finish_p50_ms < 8000);
  CHECK(first.estimate.finish_p95_ms > first.estimate.finish_p50_ms);
  CHECK(first.estimate.start_p50_ms < 1000);
  w.take_all();
  w.submit("b");
  const auto third = w.submit("c");
  CHECK(third.estimate.start_p50_ms > first.estimate.start_p50_ms + 3000);
  CHECK(third.estimate.finish_p50_ms > first.estimate.finish_p50_ms + 3000);

  const auto impossible = w.submit("d", of_model("flux"));
  CHECK(impossible.code == ErrorCode::kOk);
  CHECK(impossible.detail == "1 provider lacks model 'flux'");
  CHECK(impossible.estimate == msg::Estimate{});
}

TEST_CASE("a task that is to start later is told so, and expected later") {
  Fleet w;
  w.snapshot({World::entry(1)});
  w.teach(1, 1000);
  const auto later = with([&](TaskSpec& s) { s.not_before_ms = to_ms(w.now.wall) + 60'000; });
  for (const char* id : {"a", "b", "a"}) {  // the last is a repetition
    const auto verdict = w.submit(id, later);
    CHECK(verdict.code == ErrorCode::kOk);
    CHECK(verdict.estimate.start_p50_ms >= 60'000);
    CHECK(verdict.estimate.finish_p50_ms < 70'000);
  }
  w.from_client(msg::StatusQuery{4, {task_id("a")}});
  CHECK(get_string(w.take_to_client<msg::Tasks>().at(0).tasks.at(0), "waiting") ==
        "not to be started for another 60000 ms");
}

TEST_CASE("a repetition that comes just when its task may start is answered") {
  Fleet w;
  w.snapshot({World::entry(1)});
  w.teach(1, 1000);
  const auto later = with([&](TaskSpec& s) { s.not_before_ms = to_ms(w.now.wall) + 10'000; });
  w.submit("a", later);
  w.advance(10'000);  // its time has come, and the tick that queues it has not
  w.link(msg::LinkHeartbeat{World::broker_id(0), w.seqs[0]});
  const auto verdict = w.submit("a", later);
  CHECK(verdict.code == ErrorCode::kOk);
  CHECK(verdict.estimate.start_p50_ms < 5'000);
}

TEST_CASE("what was not seen from beginning to end is not measured") {
  Fleet w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  w.take_all();
  w.run_for(4000);
  const AssignmentRef ref = w.running[0].second;
  // Its session is lost and comes back with the task: only the end of it is seen.
  w.state(1, ProviderState::kLost);
  w.join(1, 1, {ref});
  REQUIRE(w.status("t") == TaskStatus::kSent);
  w.run_for(100);
  w.result(1, ref);
  CHECK(w.status("t") == TaskStatus::kCompleted);
  w.from_client(msg::NodesQuery{3, true});
  const ValueMap node = w.take_to_client<msg::NodeList>().at(0).nodes.at(0);
  for (const Value& row : get_list(node, "measured"))
    CHECK(get_double(std::get<ValueMap>(row.v), "runs") == 0);
}

TEST_CASE("estimates learn from how they held") {
  Fleet w;
  w.snapshot({World::entry(1)});
  w.teach(1, 2000, 200);
  w.from_client(msg::StatsQuery{1});
  const ValueMap stats = w.take_to_client<msg::Stats>().at(0).stats;
  CHECK(get_uint(stats, "calibrated_total") >= 190);
  CHECK(get_double(stats, "calibration") >= 0.9);
}

TEST_CASE("a status explains where a queued task could go, and a log why it went there") {
  Fleet w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.teach(1, 1000);
  w.teach(2, 4000);
  w.submit("a");
  w.submit("b");
  w.take_all();
  CHECK(w.task("a").log.at(1).reason.find("done soonest, in ") == 0);
  w.from_client(msg::StatusQuery{4, {task_id("b")}});
  const ValueMap status = w.take_to_client<msg::Tasks>().at(0).tasks.at(0);
  const ValueList& candidates = get_list(status, "candidates");
  REQUIRE(candidates.size() == 2);
  const auto& best = std::get<ValueMap>(candidates[0].v);
  CHECK(get_string(best, "node_id") == "node-1");
  CHECK(get_string(best, "state") == "are busy");
  CHECK(get_uint(best, "wait_ms") > 500);
  CHECK(get_uint(best, "run_ms") > 500);
}

TEST_CASE("what was measured of a node can be asked for") {
  Fleet w;
  w.snapshot({World::entry(1)});
  w.teach(1, 3000, 4, with([](TaskSpec& s) { s.work = 8; }), 2000);
  w.from_client(msg::NodesQuery{3, true});
  const ValueMap node = w.take_to_client<msg::NodeList>().at(0).nodes.at(0);
  const ValueList& measured = get_list(node, "measured");
  REQUIRE(measured.size() == 1);
  const auto& row = std::get<ValueMap>(measured[0].v);
  CHECK(get_uint(row, "size") == size_class(8));
  CHECK(get_uint(row, "run_p50_ms") == Approx(3000).margin(50));
  CHECK(get_uint(row, "load_ms") == Approx(2000).margin(50));
  CHECK(get_double(row, "success_ratio") == Approx(1).margin(0.05));
  w.from_client(msg::NodesQuery{3, false});
  CHECK_FALSE(w.take_to_client<msg::NodeList>().at(0).nodes.at(0).contains("measured"));
}

// ---- blame

TEST_CASE("a task that brings down several nodes is quarantined before it takes the fleet") {
  Fleet w;
  std::vector<msg::ProviderEntry> nodes;
  for (unsigned n = 1; n <= 8; ++n) nodes.push_back(World::entry(n));
  w.snapshot(nodes);
  w.submit("poison");
  for (int life = 1; life <= 3; ++life) {
    CHECK(w.status("poison") != TaskStatus::kFailed);
    w.take_all();
    REQUIRE(w.running.size() == 1);
    w.run_for(6000);
    w.state(w.running[0].first, ProviderState::kLost);
    w.running.clear();
  }
  CHECK(w.status("poison") == TaskStatus::kFailed);
  CHECK(w.task("poison").code == ErrorCode::kQuarantined);
  CHECK_FALSE(w.task("poison").payload.empty());  // it can be replayed
  CHECK(w.take_assigned().empty());
}

TEST_CASE("a task is not taken for dangerous because nodes come and go") {
  Fleet w;
  std::vector<msg::ProviderEntry> nodes;
  for (unsigned n = 1; n <= 40; ++n) nodes.push_back(World::entry(n));
  w.snapshot(nodes);
  w.submit("t");
  w.take_all();
  for (unsigned round = 0; round < 4; ++round) {
    const unsigned its = w.running.back().first;
    for (unsigned n = 10 * round + 1, gone = 0; gone < 4; ++n) {  // four idle ones, then its own
      if (n == its) continue;
      w.run_for(6000);
      w.state(n, ProviderState::kLost);
      ++gone;
    }
    w.run_for(6000);
    w.state(its, ProviderState::kLost);
    w.take_all();
  }
  CHECK(w.task("t").losses == 4);
  CHECK(w.status("t") != TaskStatus::kFailed);
}

TEST_CASE("when most nodes vanish at once their tasks are not blamed") {
  Fleet w;
  std::vector<msg::ProviderEntry> nodes;
  for (unsigned n = 1; n <= 8; ++n) nodes.push_back(World::entry(n));
  for (int round = 0; round < 3; ++round) {
    unsigned n = 0;
    for (msg::ProviderEntry& entry : nodes)
      entry.session = World::session(static_cast<unsigned>(100 * round) + ++n);
    w.snapshot(nodes);
    if (round == 0)
      for (int i = 0; i < 8; ++i) w.submit("t" + std::to_string(i));
    w.take_all();
    w.running.clear();
    for (n = 1; n <= 8; ++n) w.state(static_cast<unsigned>(100 * round) + n, ProviderState::kLost);
    w.run_for(10'000);
  }
  for (int i = 0; i < 8; ++i) CHECK(w.status("t" + std::to_string(i)) != TaskStatus::kFailed);
}

TEST_CASE("a node that comes and goes rests for longer and longer") {
  Fleet w;
  w.snapshot({World::entry(2)});
  std::vector<Duration> rests;
  for (unsigned life = 0; life < 6; ++life) {
    const unsigned session = 100 * (life + 1) + 1;
    w.join(session);
    const NodeRecord& record = *w.core.providers().sessions().at(World::session(session))->record;
    rests.push_back(std::max(record.probation_ends - w.now.mono, Duration{0}));
    w.state(session, ProviderState::kLost);
    w.run_for(100);
  }
  CHECK(rests[2] == Duration{0});
  CHECK(rests[3] > Duration{0});
  CHECK(rests[5] > 3 * rests[3]);
}

// ---- why a task waits

TEST_CASE("a task that waits for a better node though one is free says for which, and how long") {
  Fleet w;
  w.snapshot({World::entry(1), World::entry(2), World::entry(3)});
  w.teach(1, 1000);
  w.teach(2, 1000);
  w.teach(3, 4000);
  for (const char* id : {"a", "b", "c"}) w.submit(id);
  w.take_all();
  REQUIRE(w.on(3).empty());
  w.from_client(msg::StatusQuery{4, {task_id("c")}});
  const ValueMap status = w.take_to_client<msg::Tasks>().at(0).tasks.at(0);
  const ValueList& candidates = get_list(status, "candidates");
  REQUIRE(candidates.size() == 3);
  const auto& first = std::get<ValueMap>(candidates[0].v);
  const auto& last = std::get<ValueMap>(candidates[2].v);
  const auto in_s = [](const ValueMap& candidate) {
    const std::uint64_t tenths = (get_uint(candidate, "finish_ms") + 50) / 100;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
  };
  CHECK(get_string(status, "waiting") == "waits for " + get_string(first, "node_id") +
                                             ", done in " + in_s(first) +
                                             ", rather than node-3, in " + in_s(last));
  CHECK(get_string(first, "state") == "are busy");
  CHECK(get_string(last, "node_id") == "node-3");
  CHECK(get_string(last, "state") == "done later than " + get_string(first, "node_id"));
  // A page of tasks says the same.
  w.from_client(msg::List{5, {{"status", "Unscheduled"}}});
  CHECK(get_string(w.take_to_client<msg::Tasks>().at(0).tasks.at(0), "waiting") ==
        get_string(status, "waiting"));
}

TEST_CASE("no reason to wait names a free node without saying why it is not taken") {
  Fleet w;
  const auto waiting = [&](const std::string& id) {
    w.from_client(msg::StatusQuery{4, {task_id(id)}});
    return get_string(w.take_to_client<msg::Tasks>().at(0).tasks.at(0), "waiting");
  };
  SECTION("a task waits for the cheapest") {
    auto cheap = World::entry(1), dear = World::entry(2);
    dear.meta.min_cost = 5;
    w.snapshot({cheap, dear});
    w.teach(1, 10'000);
    w.teach(2, 1000);
    const auto thrifty = with([](TaskSpec& s) { s.time_to_money_ratio = 0; });
    for (const char* id : {"a", "b"}) w.submit(id, thrifty);
    w.take_all();
    CHECK(waiting("b") == "waits for node-1, which costs less than node-2");
  }
  SECTION("what a second is worth decides") {
    auto cheap = World::entry(1), dear = World::entry(2);
    cheap.meta.min_cost = 1;
    dear.meta.min_cost = 5;
    w.snapshot({cheap, dear});
    w.teach(1, 10'000);
    w.teach(2, 1000);
    w.submit("a", with([](TaskSpec& s) { s.time_to_money_ratio = 0; }));
    w.take_all();
    REQUIRE(w.on(1).size() == 1);
    w.submit("b", with([](TaskSpec& s) { s.time_to_money_ratio = 0.1; }));
    const std::string why = waiting("b");
    CAPTURE(why);
    CHECK(why.find("waits for node-1, done in 1") == 0);
    CHECK(why.find(" s at cost 1, rather than node-2, in 1.0 s at cost 5") != std::string::npos);
  }
  SECTION("a task failed on the one that is free") {
    w.snapshot({World::entry(1), World::entry(2)});
    w.submit("long");
    w.take_all();
    const unsigned busy = w.running[0].first;
    w.submit("t");
    const auto [bad, ref] = w.take_only_assigned();
    w.ack(bad, ref);
    w.error(bad, ref);
    CHECK(busy != bad);
    CHECK(waiting("t") ==
          "waits for another node than node-" + std::to_string(bad) + ", where it failed");
  }
  SECTION("loading the model is not worth it yet") {
    w.snapshot({with_models(1, {"a"}), with_models(2, {"b"})});
    for (const char* id : {"x", "y"}) w.submit(id, of_model("a"));
    w.take_all();
    REQUIRE(w.on(1).size() == 1);
    CHECK(waiting("y") == "waits for a node that has its model loaded, rather than node-2");
  }
  SECTION("a tenant has as many as it may") {
    Config config;
    config.quotas["small"] = {1, 0, 1, 0};
    Fleet small(config);
    small.snapshot({World::entry(1, 2)});
    for (const char* id : {"a", "b"})
      small.submit(id, with([](TaskSpec& s) { s.tenant = "small"; }));
    small.from_client(msg::StatusQuery{4, {task_id("b")}});
    CHECK(get_string(small.take_to_client<msg::Tasks>().at(0).tasks.at(0), "waiting") ==
          "tenant 'small' has 1 tasks running, its limit");
  }
}
