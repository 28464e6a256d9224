// Placement alone: what is measured and stored.
#include "tests/unit/dispatcher/placement/placing.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::needing;
using genai::dispatcher::test::node;
using genai::dispatcher::test::Placing;
using genai::dispatcher::test::with_models;

TEST_CASE("placing: what was measured is written after a while, each node once") {
  Placing p;
  p.join(1, with_models({"sdxl"}));
  for (int i = 0; i < 3; ++i) {
    Task& task = p.accept(needing("sdxl"));
    p.place();
    p.run(task, from_ms(2'000));
  }
  CHECK(p.placement.has_changes());
  CHECK(p.placement.next_commit() != kNever);
  CHECK(p.placement.next_commit() > Duration{0});
  const auto [nodes, measures] = p.take_changes();
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].id == node(1));
  CHECK(nodes[0].assigned == 3);
  CHECK(nodes[0].completed == 3);
  CHECK(nodes[0].failed + nodes[0].lost == 0);
  REQUIRE(measures.size() == 1);
  CHECK(measures[0].node == node(1));
  CHECK(measures[0].model == "sdxl");
  CHECK(measures[0].runs == 3);
  CHECK(measures[0].good > 0);
  CHECK(measures[0].bad == 0);
  CHECK(p.take_changes().first.empty());
}

TEST_CASE("placing: the time of loading is measured apart from that of running") {
  Placing p;
  p.join(1, with_models({"sdxl"}));
  Task& task = p.accept(needing("sdxl"));
  p.place();
  p.acknowledge(task);
  p.pass(from_ms(10'000));
  p.complete(task, 8'000);
  CHECK(p.placement.run_s(needing("sdxl")).value() == Approx(2));
  CHECK(!p.placement.run_s(needing("flux")));
  const auto measures = p.take_changes().second;
  REQUIRE(measures.size() == 1);
  CHECK(measures[0].loads == 1);
}

TEST_CASE("placing: a model that only ever failed is written too") {
  Placing p;
  p.join(1, with_models({"sdxl"}));
  Task& task = p.accept(needing("sdxl"));
  p.place();
  p.behave(1, Conduct::kError, &task);
  const auto [nodes, measures] = p.take_changes();
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].failed == 1);
  REQUIRE(measures.size() == 1);
  CHECK(measures[0].model == "sdxl");
  CHECK(measures[0].runs == 0);
  CHECK(measures[0].bad > 0);
}

TEST_CASE("placing: what is written is taken up again by the next process") {
  Placing before;
  before.join(1, with_models({"sdxl", "flux"}));
  for (const char* model : {"sdxl", "flux", "sdxl"}) {
    Task& task = before.accept(needing(model));
    before.place();
    before.run(task, from_ms(model == std::string("flux") ? 9'000 : 2'000));
  }
  const auto [nodes, measures] = before.take_changes();
  Placing after;
  for (const store::NodeRow& row : nodes) after.placement.restore(row);
  after.placement.restore(measures);
  CHECK(!after.placement.has_changes());
  for (const char* model : {"sdxl", "flux"})
    CHECK(after.placement.run_s(needing(model)).value() ==
          Approx(before.placement.run_s(needing(model)).value()));
  CHECK(after.record(1).completed == 3);
}

TEST_CASE("placing: without a store nothing is kept for it") {
  Placing p({}, false);
  p.join(1);
  Task& task = p.accept();
  p.place();
  p.run(task, from_ms(1'000));
  CHECK(p.placement.drain(node(1), true, p.now));
  CHECK(!p.placement.has_changes());
  CHECK(p.placement.next_commit() == kNever);
}
