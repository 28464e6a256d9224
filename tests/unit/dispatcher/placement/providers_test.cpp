// The fleet as placement sees it: who has room, who rests, and what is in whose memory.
#include "dispatcher/placement/providers.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/unit/dispatcher/fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Fleet;

namespace {

PublicMetaInfo meta(std::uint32_t slots, std::vector<std::string> models = {}) {
  PublicMetaInfo meta;
  meta.slots = slots;
  meta.models = std::move(models);
  return meta;
}
TaskSpec needing(const std::string& model) {
  TaskSpec spec;
  spec.needs.model = model;
  return spec;
}
/// Until when the only provider is left alone; it has room again then.
Duration pause_of(Fleet& fleet) {
  CHECK(!fleet.providers.any_room());
  const Duration until = fleet.providers.next_deadline();
  REQUIRE(until != kNever);
  REQUIRE(until > fleet.now.mono);
  CHECK(fleet.providers.next_due(until - from_ms(1)) == nullptr);
  const Duration pause = until - fleet.now.mono;
  fleet.now.mono = until;
  Provider* const due = fleet.providers.next_due(until);
  REQUIRE(due != nullptr);
  fleet.providers.reindex(*due, until);
  CHECK(fleet.providers.any_room());
  CHECK(fleet.providers.next_due(until) == nullptr);
  fleet.check_invariants();
  return pause;
}

}  // namespace

TEST_CASE("providers: there is room where a node is online, not drained, and has a slot") {
  PlacementPolicy policy;
  policy.prefetch = 0;
  Fleet fleet(policy);
  CHECK(!fleet.providers.any_room());
  Provider& node = fleet.join("a", meta(2));
  CHECK(fleet.providers.any_room());
  CHECK(fleet.providers.slots_online() == 2);
  fleet.set_reach(node, GENERATE(Reach::kSuspect, Reach::kDraining, Reach::kUnreachable));
  CHECK(!fleet.providers.any_room());
  CHECK(fleet.providers.slots_online() == 0);
  fleet.set_reach(node, Reach::kOnline);
  fleet.place(fleet.add(), node);
  CHECK(fleet.providers.any_room());
  QueueEntry& second = fleet.add();
  fleet.place(second, node);
  CHECK(!fleet.providers.any_room());
  fleet.complete(second);
  CHECK(fleet.providers.any_room());
  node.record->drained = true;
  fleet.providers.reindex(node, fleet.now.mono);
  CHECK(!fleet.providers.any_room());
  fleet.check_invariants();
}

TEST_CASE("providers: what a node refuses is not offered to it again for a second") {
  Fleet fleet;
  Provider& node = fleet.join("a", meta(1));
  fleet.providers.bar(node, fleet.now.mono);
  CHECK(fleet.providers.obstacle(node, {}, TaskSpec::kUnlimited, fleet.now.mono) ==
        "refused just now");
  CHECK(pause_of(fleet) == from_ms(1'000));
}

TEST_CASE("providers: a node that is full though it has slots is asked later and later") {
  Fleet fleet;
  Provider& node = fleet.join("a", meta(4));
  Duration last{0};
  for (int i = 0; i < 20; ++i) {
    fleet.providers.count_refusal(node, fleet.now.mono);
    const Duration pause = pause_of(fleet);
    CHECK(pause >= last);
    CHECK(pause <= from_ms(1'000));
    last = pause;
  }
  CHECK(last == from_ms(1'000));
  fleet.providers.count_acceptance(node);
  fleet.providers.count_refusal(node, fleet.now.mono);
  CHECK(pause_of(fleet) == from_ms(10));
}

TEST_CASE("providers: a node that is full with its slots taken is not asked for more than those") {
  PlacementPolicy policy;
  policy.prefetch = 5;
  Fleet fleet(policy);
  Provider& node = fleet.join("a", meta(2));
  std::vector<QueueEntry*> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back(&fleet.add());
    fleet.place(*tasks.back(), node);
  }
  fleet.requeue(*tasks.back(), false);  // it was one too many
  fleet.providers.count_refusal(node, fleet.now.mono);
  CHECK(!fleet.providers.any_room());
  CHECK(fleet.providers.next_deadline() == kNever);  // there is nothing to wait for
  fleet.complete(*tasks.front());
  CHECK(fleet.providers.any_room());
  fleet.check_invariants();
}

TEST_CASE("providers: after three failures in a row a node rests, twice as long each time") {
  Fleet fleet;
  Provider& node = fleet.join("a", meta(4));
  fleet.providers.count_failure(node, fleet.now.mono);
  fleet.providers.count_failure(node, fleet.now.mono);
  CHECK(fleet.providers.any_room());
  CHECK(node.trouble().empty());
  for (const std::uint64_t rest_ms : {1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 32'000}) {
    fleet.providers.count_failure(node, fleet.now.mono);
    CHECK(!node.trouble().empty());
    CHECK(pause_of(fleet) == from_ms(rest_ms));
  }
}

TEST_CASE("providers: what ends while a node rests does not make the rest longer") {
  Fleet fleet;
  Provider& node = fleet.join("a", meta(4));
  for (int i = 0; i < 50; ++i) fleet.providers.count_fault(node, fleet.now.mono);
  CHECK(node.record->failures == 3);
  CHECK(pause_of(fleet) == from_ms(1'000));
  fleet.providers.count_fault(node, fleet.now.mono);
  CHECK(pause_of(fleet) == from_ms(2'000));
}

TEST_CASE("providers: after its rest a node gets one task at a time, until one completes") {
  Fleet fleet;
  Provider& node = fleet.join("a", meta(4));
  for (int i = 0; i < 3; ++i) fleet.providers.count_failure(node, fleet.now.mono);
  pause_of(fleet);
  CHECK(node.is_on_trial());
  QueueEntry& tried = fleet.add();
  fleet.place(tried, node);
  CHECK(!fleet.providers.any_room());
  CHECK(fleet.providers.obstacle(node, {}, TaskSpec::kUnlimited, fleet.now.mono) ==
        "are tried with one task");
  fleet.complete(tried);
  CHECK(!node.is_on_trial());
  fleet.place(fleet.add(), node);
  CHECK(fleet.providers.any_room());
  fleet.check_invariants();
}

TEST_CASE("providers: a node that can run nothing rests from the first time on") {
  Fleet fleet;
  Provider& node = fleet.join("a", meta(2));
  fleet.providers.count_unfit(node, "no GPU", fleet.now.mono);
  CHECK(node.trouble() == "can run nothing now: no GPU");
  CHECK(pause_of(fleet) == from_ms(1'000));
  fleet.providers.count_unfit(node, "no driver", fleet.now.mono);
  fleet.providers.count_unfit(node, "no driver", fleet.now.mono);  // during its rest
  CHECK(node.trouble() == "can run nothing now: no driver");
  CHECK(pause_of(fleet) == from_ms(2'000));
  CHECK(node.is_on_trial());
  fleet.providers.count_unfit(node, "", fleet.now.mono);
  fleet.providers.clear_unfit(node, fleet.now.mono);
  CHECK(fleet.providers.any_room());
  CHECK(!node.is_on_trial());
  CHECK(node.trouble().empty());
  CHECK(node.record->failures == 0);
}

TEST_CASE("providers: a result ends every rest") {
  Fleet fleet;
  Provider& node = fleet.join("a", meta(2));
  for (int i = 0; i < 5; ++i) fleet.providers.count_failure(node, fleet.now.mono);
  fleet.providers.count_unfit(node, "no GPU", fleet.now.mono);
  CHECK(!fleet.providers.any_room());
  fleet.providers.count_success(node, fleet.now.mono);
  CHECK(fleet.providers.any_room());
  CHECK(fleet.providers.next_deadline() == kNever);
  CHECK(node.record->completed == 1);
}

TEST_CASE("providers: the account of a node outlives its sessions") {
  Fleet fleet;
  Provider& first = fleet.join("a", meta(1));
  fleet.providers.count_success(first, fleet.now.mono);
  for (int i = 0; i < 3; ++i) fleet.providers.count_failure(first, fleet.now.mono);
  fleet.leave(first);
  CHECK(fleet.providers.size() == 0);
  CHECK(fleet.providers.knows(*NodeId::parse("a")));
  CHECK(fleet.providers.find_node(*NodeId::parse("a")) == nullptr);
  Provider& second = fleet.join("a", meta(1));
  CHECK(second.record->completed == 1);
  CHECK(pause_of(fleet) == from_ms(1'000));
}

TEST_CASE("providers: what a node tells to have loaded is warm, and the rest is cold") {
  Fleet fleet;
  Provider& node = fleet.join("a", meta(1, {"sdxl", "flux"}));
  QueueEntry &sdxl = fleet.add(needing("sdxl")), &flux = fleet.add(needing("flux"));
  const auto is_cold = [&](const QueueEntry& task) {
    return fleet.providers.offer(node, *task.group, fleet.now.mono).cold;
  };
  CHECK(!is_cold(sdxl));  // of a node that tells nothing nothing is known
  fleet.providers.set_loaded(node, {"sdxl"}, fleet.now.mono);
  CHECK(!is_cold(sdxl));
  CHECK(is_cold(flux));
  fleet.providers.set_loaded(node, {"flux"}, fleet.now.mono);
  CHECK(is_cold(sdxl));
  CHECK(!is_cold(flux));
  fleet.providers.set_loaded(node, {}, fleet.now.mono);
  CHECK(is_cold(flux));
}

TEST_CASE("providers: another model takes the place of one, where a node holds only so many") {
  Fleet fleet;
  Provider& node = fleet.join("a", meta(1, {"sdxl", "flux", "sd15"}));
  QueueEntry& flux = fleet.add(needing("flux"));
  const auto holds = [&](const char* model) { return node.holds(fleet.measures.model(model)); };
  fleet.providers.set_loaded(node, {"sdxl"}, fleet.now.mono);
  fleet.place(flux, node);
  CHECK(holds("flux"));
  CHECK(!holds("sdxl"));
  // While it works its own list is older than what it was given.
  fleet.providers.set_loaded(node, {"sdxl"}, fleet.now.mono);
  CHECK(holds("flux"));
  fleet.complete(flux);
  fleet.providers.set_loaded(node, {"flux", "sdxl"}, fleet.now.mono);  // it holds two, it shows
  fleet.place(fleet.add(needing("sd15")), node);
  CHECK(holds("sd15"));
  CHECK(holds("flux"));
  CHECK(!holds("sdxl"));
  fleet.check_invariants();
}

TEST_CASE("providers: the fleet is explained in one sentence, each reason with its number") {
  Fleet fleet;
  Requirements needs;
  needs.model = "sdxl";
  const auto explain = [&] {
    return fleet.providers.explain(needs, TaskSpec::kUnlimited, fleet.now.mono);
  };
  CHECK(explain() == "no provider is connected");
  fleet.join("a", meta(1));
  CHECK(explain() == "1 provider lacks model 'sdxl'");
  fleet.join("b", meta(1));
  CHECK(explain() == "2 providers lack model 'sdxl'");
  Provider& c = fleet.join("c", meta(1, {"sdxl"}));
  CHECK_THAT(explain(), Catch::Contains("1 provider is free"));
  fleet.place(fleet.add(), c);
  CHECK_THAT(explain(), Catch::Contains("1 provider is busy"));
  for (int i = 0; i < 3; ++i) fleet.providers.count_failure(c, fleet.now.mono);
  CHECK_THAT(explain(), Catch::Contains("c rests for another 1.0 s: 3 tasks in a row did not"));
}
