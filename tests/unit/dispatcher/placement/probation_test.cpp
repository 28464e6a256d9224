// Tasks that bring nodes down, and nodes that bring tasks down, get less.
#include "tests/unit/dispatcher/placement/policy_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::PolicyFleet;
using genai::dispatcher::test::World;

TEST_CASE("a task that brings down several nodes is quarantined before it takes the fleet") {
  PolicyFleet w;
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
  PolicyFleet w;
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
  PolicyFleet w;
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
  PolicyFleet w;
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
