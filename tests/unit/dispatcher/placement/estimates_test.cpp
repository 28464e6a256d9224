// What is told of a task's future, and what that rests on.
#include "tests/unit/dispatcher/placement/policy_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::of_model;
using genai::dispatcher::test::PolicyFleet;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::with;
using genai::dispatcher::test::World;

TEST_CASE("accepted says when, or why not") {
  PolicyFleet w;
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
  PolicyFleet w;
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
  PolicyFleet w;
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
  PolicyFleet w;
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
  PolicyFleet w;
  w.snapshot({World::entry(1)});
  w.teach(1, 2000, 200);
  w.from_client(msg::StatsQuery{1});
  const ValueMap stats = w.take_to_client<msg::Stats>().at(0).stats;
  CHECK(get_uint(stats, "calibrated_total") >= 190);
  CHECK(get_double(stats, "calibration") >= 0.9);
}

TEST_CASE("a status explains where a queued task could go, and a log why it went there") {
  PolicyFleet w;
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
  PolicyFleet w;
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
