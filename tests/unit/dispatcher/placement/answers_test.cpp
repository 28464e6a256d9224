// Placement alone: what others ask of it.
#include "tests/unit/dispatcher/placement/placing.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::needing;
using genai::dispatcher::test::node;
using genai::dispatcher::test::Placed;
using genai::dispatcher::test::Placing;
using genai::dispatcher::test::slots;
using genai::dispatcher::test::with_models;

TEST_CASE("placing: a tenant that has its share waits, whoever is free") {
  PlacementPolicy policy;
  policy.quotas["acme"].max_running = 1;
  policy.quotas["acme"].max_queued = 3;
  Placing p(policy);
  p.join(1, slots(4));
  TaskSpec of_acme;
  of_acme.tenant = "acme";
  Task& first = p.accept(of_acme);
  p.accept(of_acme);
  p.accept();
  CHECK(p.place() == Placed{"t1>node-1", "t3>node-1"});
  CHECK(!p.placement.no_room_for(of_acme, 10));
  p.complete(first);
  CHECK(p.place() == Placed{"t2>node-1"});
  for (int i = 0; i < 3; ++i) p.accept(of_acme);
  const auto error = p.placement.no_room_for(of_acme, 10);
  REQUIRE(error);
  CHECK(error->code == ErrorCode::kOverQuota);
  CHECK(!p.placement.no_room_for({}, 10));
}

TEST_CASE("placing: a kind of task is new until one like it is there") {
  Placing p;
  CHECK(p.placement.is_new_kind(needing("sdxl")));
  p.accept(needing("sdxl"));
  CHECK(!p.placement.is_new_kind(needing("sdxl")));
  CHECK(p.placement.is_new_kind(needing("flux")));
}

TEST_CASE("placing: what does not fit is explained, and what is measured is promised") {
  Placing p;
  Task& task = p.accept(needing("sdxl"));
  CHECK_THAT(p.placement.misfits(task, p.now), Catch::Contains("no provider is connected"));
  p.join(1, with_models({"flux"}));
  p.pass(from_ms(60'000));
  CHECK_THAT(p.placement.misfits(task, p.now), Catch::Contains("model 'sdxl'"));
  CHECK(p.placement.estimate(task, p.now) == msg::Estimate{});
  p.join(2, with_models({"sdxl"}));
  CHECK(p.placement.misfits(task, p.now).empty());
  p.place();
  p.run(task, from_ms(4'000));
  Task& next = p.accept(needing("sdxl"));
  const msg::Estimate estimate = p.placement.promise(next, p.now);
  CHECK(estimate.finish_p50_ms > 0);
  CHECK(estimate.finish_p50_ms <= estimate.finish_p95_ms);
  const auto candidates = p.placement.candidates(next, 8, p.now);
  REQUIRE(candidates.size() == 1);
  CHECK(candidates[0].provider->node_id == node(2));
  CHECK(candidates[0].obstacle.empty());
}
