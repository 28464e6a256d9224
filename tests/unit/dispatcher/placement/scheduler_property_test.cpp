// Each decision of the scheduler in random histories is held against the rules in the headers.
//
// The cases are the same in each run; others, more, or one again: RC_PARAMS="max_success=20000",
// "seed=7", "reproduce=...".
#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/unit/dispatcher/placement/plain_rules.h"

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::test;

namespace {

/// The ranking that follows the log of changes against one that is built anew.
std::string compare_rankings(History& h, const Rules& rules) {
  for (TaskClass* group : h.backlog.active()) {
    Ranking& kept = group->ranking;
    kept.refresh(h.providers, h.now.mono);
    kept.check_invariants(h.providers);
    Ranking anew(*group);
    anew.refresh(h.providers, h.now.mono);
    const double slack = h.frozen ? 1 + 1e-9 : 1.35;
    if (kept.healthy() != anew.healthy()) return "healthy";
    if (kept.rate() < anew.rate() / slack - 1e-9 || kept.rate() > anew.rate() * slack + 1e-9)
      return "rate";
    std::map<const Provider*, Look> looks;
    for (const Look& look : rules.looks(*group)) looks.emplace(look.provider, look);
    for (const auto& [session, provider] : h.providers.sessions()) {
      const Shelf shelf = kept.shelf_of(*provider);
      if (shelf != anew.shelf_of(*provider)) return "shelf of " + provider->node_id.str();
      const auto look = looks.find(provider.get());
      if (shelf != (look == looks.end() ? Shelf::kNone : look->second.shelf))
        return "shelf by the rules of " + provider->node_id.str();
    }
    const auto differ = [&](const Ranking::Order& a, const Ranking::Order& b, bool timed) {
      if (a.size() != b.size()) return true;
      if (a.empty()) return false;
      const double from = timed ? seconds(h.now.mono) : 0;
      const double best = b.begin()->finish - from;
      const double finish = a.begin()->finish - from;
      if (a.begin()->cost != b.begin()->cost) return true;
      return finish > best * slack * (timed ? 1 : kGrade) + 1e-6 ||
             finish * slack * (timed ? 1 : kGrade) < best - 1e-6;
    };
    if (differ(kept.free(), anew.free(), false)) return "free";
    if (differ(kept.prefetch(true), anew.prefetch(true), true)) return "prefetch";
    if (differ(kept.prefetch(false), anew.prefetch(false), false)) return "prefetch of unknown";
    if (differ(kept.full(true), anew.full(true), true)) return "full";
    if (kept.resting().size() != anew.resting().size()) return "resting";  // in no order
  }
  return "";
}

void run_pass(History& h, Rules& rules) {
  h.scheduler.start();
  rules.start();
  for (;;) {
    const auto placement = h.scheduler.next(h.now);
    if (const std::string wrong = rules.judge(placement); !wrong.empty()) RC_FAIL(wrong);
    if (!placement) break;
    h.place(*placement->task, *placement->provider);
  }
}

const auto kEvents = rc::gen::container<std::vector<Event>>(rc::gen::construct<Event>(
    rc::gen::inRange<std::uint8_t>(0, 20), rc::gen::arbitrary<std::uint16_t>(),
    rc::gen::arbitrary<std::uint16_t>()));

}  // namespace

TEST_CASE("every decision is the one that the rules demand") {
  setenv("RC_PARAMS", "seed=1 max_success=1000 max_size=120", 0);
  const bool frozen = GENERATE(true, false);
  CAPTURE(frozen);
  const bool holds = rc::check([frozen] {
    History h(*rc::gen::inRange(0u, 3u), frozen);
    Rules rules(h);
    const auto fleet = *rc::gen::container<std::vector<std::pair<std::uint16_t, std::uint16_t>>>(
        rc::gen::arbitrary<std::pair<std::uint16_t, std::uint16_t>>());
    for (const auto& [a, b] : fleet) h.join_one(a, b);
    if (h.nodes.empty()) h.join_one(15, 9);
    for (const Event& event : *kEvents) {
      h.happen(event);
      run_pass(h, rules);
      h.check_invariants();
      if (const std::string wrong = compare_rankings(h, rules); !wrong.empty())
        RC_FAIL("a ranking kept up differs from one built anew: " + wrong);
    }
  });
  CHECK(holds);
}
