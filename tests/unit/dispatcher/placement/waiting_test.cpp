// The reason that is given for a task that waits.
#include "tests/unit/dispatcher/placement/policy_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::of_model;
using genai::dispatcher::test::PolicyFleet;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::with;
using genai::dispatcher::test::with_models;
using genai::dispatcher::test::World;

TEST_CASE("a task that waits for a better node though one is free says for which, and how long") {
  PolicyFleet w;
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
  PolicyFleet w;
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
    PolicyFleet small(config);
    small.snapshot({World::entry(1, 2)});
    for (const char* id : {"a", "b"})
      small.submit(id, with([](TaskSpec& s) { s.tenant = "small"; }));
    small.from_client(msg::StatusQuery{4, {task_id("b")}});
    CHECK(get_string(small.take_to_client<msg::Tasks>().at(0).tasks.at(0), "waiting") ==
          "tenant 'small' has 1 tasks running, its limit");
  }
}
