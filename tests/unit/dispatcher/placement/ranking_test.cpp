// The order of providers for one class of tasks: kept up to date, it must be the order built anew.
#include "dispatcher/placement/ranking.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/unit/dispatcher/fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Fleet;
using Shelf = Ranking::Shelf;

namespace {

PublicMetaInfo with_slots(std::uint32_t slots) {
  PublicMetaInfo meta;
  meta.slots = slots;
  return meta;
}

/// A fleet without prefetch, and a class of which one task is always queued.
struct Ranked : Fleet {
  QueueEntry& waiting;
  Ranking& ranking;

  explicit Ranked(std::uint32_t prefetch = 0)
      : Fleet(config_of(prefetch)), waiting(add()), ranking(waiting.group->ranking) {}

  static PlacementPolicy config_of(std::uint32_t prefetch) {
    PlacementPolicy config;
    config.prefetch = prefetch;
    return config;
  }
  /// It runs such tasks in `run_s`, and has begun as many as it has slots.
  Provider& busy(const std::string& node, double run_s, std::uint32_t slots = 1) {
    Provider& provider = join(node, with_slots(slots));
    for (int i = 0; i < 10; ++i) ran(provider, "", run_s);
    for (std::uint32_t i = 0; i < slots; ++i) place(add(), provider);
    return provider;
  }
  void refresh() {
    ranking.refresh(providers, now.mono);
    ranking.check_invariants(providers);
  }
  /// Seconds from now until one more task would be done there.
  double finish(const Provider& provider) {
    return providers.offer(provider, *waiting.group, now.mono).finish_s();
  }
  Provider* first_done() {
    refresh();
    return ranking.full(true).begin()->provider;
  }
};

}  // namespace

TEST_CASE("a busy provider is on the clock until it is overdue, then it is done ever later") {
  Ranked f;
  Provider& provider = f.busy("a", 8, GENERATE(1u, 3u));
  const double begin = seconds(f.now.mono), firm_until = provider.firm_until();
  CHECK(firm_until - begin == Approx(7));  // an eighth of a task is always left
  double end = begin + provider.wait_s(f.now.mono), left = provider.wait_s(f.now.mono);
  CHECK(left == Approx(8));
  for (int step = 0; step < 400; ++step) {
    f.pass(0.1);
    const double at = seconds(f.now.mono), wait = provider.wait_s(f.now.mono);
    CHECK(wait > 0);
    CHECK(at + wait >= end - 1e-9);              // never done earlier than was said
    CHECK(std::abs(wait - left) <= 0.1 + 1e-9);  // no jump
    if (at <= firm_until) CHECK(at + wait == Approx(begin + 8).epsilon(1e-9));
    if (at > firm_until) CHECK(wait == Approx(1 + (at - firm_until) / 4).epsilon(1e-9));
    end = at + wait;
    left = wait;
  }
}

TEST_CASE("what is not measured has no end on the clock") {
  Ranked f;
  Provider& provider = f.join("a", with_slots(1));
  f.place(f.add(), provider);
  CHECK_FALSE(provider.is_timed());
  CHECK(provider.firm_until() == std::numeric_limits<double>::infinity());
  const double wait = provider.wait_s(f.now.mono);
  f.pass(1000);
  CHECK(provider.wait_s(f.now.mono) == wait);
}

TEST_CASE("one that is overdue falls behind those that are not") {
  Ranked f;
  Provider& late = f.busy("late", 10);
  Provider& steady = f.busy("steady", 40);
  CHECK(f.first_done() == &late);
  f.pass(12);  // late by a fifth
  CHECK(f.first_done() == &late);
  f.pass(100);
  f.requeue(*steady.tasks.front(), false);
  f.place(f.add(), steady);
  CHECK(f.first_done() == &late);
  f.pass(200);
  f.requeue(*steady.tasks.front(), false);
  f.place(f.add(), steady);
  REQUIRE(f.finish(steady) < f.finish(late));
  CHECK(f.first_done() == &steady);
}

TEST_CASE("of several that are overdue the first is the one that is done first") {
  Ranked f;
  Provider& a = f.busy("a", 10);
  Provider& b = f.busy("b", 11);
  f.refresh();
  f.pass(200);
  // Both are 20 times overdue; a third has just begun.
  Provider& c = f.busy("c", 60);
  REQUIRE(f.finish(a) < f.finish(b));
  REQUIRE(f.finish(a) < f.finish(c));
  CHECK(f.first_done() == &a);
  CHECK(f.ranking.full(true).begin()->finish - seconds(f.now.mono) == Approx(f.finish(a)));
}

TEST_CASE("the first is right however many are overdue") {
  Ranked f;
  std::vector<Provider*> late;
  for (int i = 0; i < 20; ++i) late.push_back(&f.busy("n" + std::to_string(i), 10 + 0.1 * i));
  Provider& steady = f.busy("steady", 12);
  f.refresh();
  f.pass(150);
  f.complete(*steady.tasks.front());
  for (int i = 0; i < 10; ++i) f.ran(steady, "", 12);
  f.place(f.add(), steady);
  for (const Provider* provider : late) REQUIRE(f.finish(steady) < f.finish(*provider));
  CHECK(f.first_done() == &steady);
}

TEST_CASE("a provider whose slots change changes its shelf") {
  Ranked f(1);
  Provider& provider = f.busy("a", 10, 2);
  f.refresh();
  CHECK(f.ranking.shelf_of(provider) == Shelf::kPrefetch);
  const double rate = f.ranking.rate();
  f.providers.set_meta(provider, with_slots(4), f.now.mono);
  f.refresh();
  CHECK(f.ranking.shelf_of(provider) == Shelf::kFree);
  CHECK(f.ranking.rate() == Approx(2 * rate));
  f.providers.set_meta(provider, with_slots(1), f.now.mono);
  f.providers.check_invariants();
  f.refresh();
  CHECK(f.ranking.shelf_of(provider) == Shelf::kFull);
  CHECK(f.ranking.rate() == Approx(rate / 2));
  CHECK(f.ranking.healthy() == 1);
}

TEST_CASE("a task that waited begins when the node gets more slots") {
  Ranked f(1);
  Provider& provider = f.busy("a", 10);
  QueueEntry& second = f.add();
  f.place(second, provider);
  CHECK(second.begun_at == Duration{0});
  CHECK(provider.wait_s(f.now.mono) == Approx(20));
  f.pass(4);
  f.providers.set_meta(provider, with_slots(2), f.now.mono);
  CHECK(second.begun_at == f.now.mono);
  CHECK(provider.wait_s(f.now.mono) == Approx((6 + 10) / 2.0));
}

TEST_CASE("who has not looked for long looks at the whole fleet") {
  Ranked f;
  std::vector<Provider*> nodes;
  for (int i = 0; i < 5; ++i) nodes.push_back(&f.join("n" + std::to_string(i), with_slots(1)));
  f.refresh();
  const std::uint64_t version = f.providers.version();
  CHECK(f.providers.changes_since(version));
  f.set_reach(*nodes[0], Reach::kSuspect);
  for (int i = 0; i < 1000; ++i) f.providers.reindex(*nodes[1], f.now.mono);
  REQUIRE_FALSE(f.providers.changes_since(version));
  CHECK(f.providers.version() == version + 1001);
  f.refresh();
  CHECK(f.ranking.free().size() == 4);
  CHECK(f.ranking.shelf_of(*nodes[0]) == Shelf::kNone);
}

TEST_CASE("the place of one that left is taken by another") {
  Ranked f;
  Provider& cheap = f.join("a", with_slots(2));
  f.join("b", with_slots(1));
  f.refresh();
  const std::size_t index = cheap.index;
  const bool seen_between = GENERATE(true, false);
  f.leave(cheap);
  if (seen_between) {
    f.refresh();
    CHECK(f.ranking.free().size() == 1);
  }
  PublicMetaInfo meta = with_slots(3);
  meta.min_cost = 1;
  Provider& dear = f.join("c", meta);
  REQUIRE(dear.index == index);
  f.refresh();
  CHECK(f.ranking.free().size() == 2);
  CHECK(f.ranking.free().rbegin()->provider == &dear);
  CHECK(f.ranking.healthy() == 2);
}

TEST_CASE("what the fleet is known to take changes what is expected of those that did nothing") {
  Ranked f;
  Provider& idle = f.join("idle", with_slots(1));
  Provider& worker = f.join("worker", with_slots(1));
  for (int i = 0; i < 5; ++i) f.ran(worker, "", 10);
  f.refresh();
  for (int i = 0; i < 400; ++i) f.ran(worker, "", 100);
  f.refresh();
  for (const auto& standing : f.ranking.free())
    if (standing.provider == &idle) CHECK(standing.finish == Approx(f.finish(idle)).epsilon(0.1));
}

TEST_CASE("what loading is known to take changes what is expected of those that did nothing") {
  Fleet f;
  PublicMetaInfo meta;
  meta.models = {"sdxl", "flux"};
  meta.loaded_models = {"flux"};
  TaskSpec spec;
  spec.needs.model = "sdxl";
  QueueEntry& task = f.add(spec);
  Ranking& ranking = task.group->ranking;
  Provider& idle = f.join("idle", meta);
  Provider& worker = f.join("worker", meta);
  f.ran(worker, "sdxl", 10);
  ranking.refresh(f.providers, f.now.mono);
  f.ran(worker, "sdxl", 10, 120);
  ranking.refresh(f.providers, f.now.mono);
  for (const auto& standing : ranking.free()) {
    if (standing.provider != &idle) continue;
    const Offer offer = f.providers.offer(idle, *task.group, f.now.mono);
    CHECK(standing.finish == Approx(offer.finish_s()).epsilon(0.1));
  }
}

TEST_CASE("a node that begins to tell what it holds while it works is placed by it") {
  Fleet f;
  PublicMetaInfo meta;
  meta.models = {"sdxl", "flux"};
  meta.slots = 2;
  const auto needing = [](const std::string& model) {
    TaskSpec spec;
    spec.needs.model = model;
    return spec;
  };
  Provider& provider = f.join("a", meta);
  f.place(f.add(needing("flux")), provider);
  Ranking& ranking = f.add(needing("sdxl")).group->ranking;
  ranking.refresh(f.providers, f.now.mono);
  CHECK_FALSE(ranking.free().begin()->cold);
  f.providers.set_loaded(provider, {"flux"}, f.now.mono);
  ranking.refresh(f.providers, f.now.mono);
  CHECK(ranking.free().begin()->cold);
}
