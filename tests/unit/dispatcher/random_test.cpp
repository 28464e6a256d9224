// Random histories: nodes that ack, fail, drop, vanish and come back, clients that cancel and
// reconnect. After every step the invariants hold; in the end everything becomes terminal.
#include <map>
#include <random>
#include <set>

#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

struct Fleet {
  explicit Fleet(unsigned seed) : random(seed) { w.snapshot(); }

  unsigned pick(unsigned below) { return static_cast<unsigned>(random() % below); }

  void take_messages() {
    for (auto& sent : w.to_nodes) {
      auto& held = nodes[sent.node];
      if (auto* assign = std::get_if<msg::Assign>(&sent.message))
        for (auto& entry : assign->entries) inbox.emplace_back(sent.node, entry.ref);
      if (auto* abort = std::get_if<msg::Abort>(&sent.message))
        for (auto& entry : abort->entries) {
          held.erase(entry.ref);
          aborts.emplace_back(sent.node, entry.ref);
        }
      if (auto* ack = std::get_if<msg::ResultAck>(&sent.message))
        for (auto& entry : ack->entries) held.erase(entry.ref);
    }
    w.to_nodes.clear();
    for (auto& entry : w.take_delivered()) {
      auto [it, first] = results.emplace(entry.task_id.str(), std::string(entry.data.view()));
      CHECK(it->second == entry.data.view());  // never two different results
      if (pick(4)) w.fetch(entry.task_id.str());
    }
  }

  void beat(unsigned node) {
    std::vector<AssignmentRef> held(nodes[node].begin(), nodes[node].end());
    w.beat(node, held);
  }

  void act() {
    switch (pick(12)) {
      case 0:
        w.submit("t" + std::to_string(++submitted));
        break;
      case 1: {
        const unsigned node = pick(5) + 1;
        if (!nodes.contains(node)) nodes[node];
        w.join(node, pick(2) + 1, {nodes[node].begin(), nodes[node].end()});
        online[node] = true;
        break;
      }
      case 2:
        if (const unsigned node = pick(5) + 1; online[node]) {
          w.state(node, pick(2) ? ProviderState::kLost : ProviderState::kSuspect);
          if (w.core.providers().sessions().contains(World::session(node)) == false)
            online[node] = false;
        }
        break;
      case 3:
        if (const unsigned node = pick(5) + 1; online[node]) {
          if (!nodes[node].empty() && pick(3) == 0) nodes[node].erase(nodes[node].begin());
          beat(node);
        }
        break;
      case 4:
        if (submitted) w.cancel("t" + std::to_string(pick(submitted) + 1));
        break;
      case 5:
        w.core.handle(ClientGone{"client"}, w.now);
        break;
      case 6:
        w.advance(pick(2'000));
        w.link(msg::LinkHeartbeat{World::broker_id(0), w.seqs[0]});
        w.step();
        break;
      default:
        answer();
    }
    take_messages();
  }

  void answer() {
    while (!inbox.empty() && pick(4)) {
      auto [node, ref] = inbox.front();
      inbox.pop_front();
      if (!online[node] || pick(10) == 0) continue;  // lost on the way
      if (pick(10) == 0) {
        w.ack(node, ref, ErrorCode::kNodeFull);
        continue;
      }
      nodes[node].insert(ref);
      w.ack(node, ref);
    }
    while (!aborts.empty()) {
      auto [node, ref] = aborts.front();
      aborts.pop_front();
      if (online[node] && pick(3)) w.from_node(node, msg::AbortAck{{{ref, {}}}});
    }
    const unsigned node = pick(5) + 1;
    if (!online[node] || nodes[node].empty()) return;
    const AssignmentRef ref = *nodes[node].begin();
    switch (pick(4)) {
      case 0:
        report(node, ref, msg::Outcome::kError);
        break;
      case 1:
        report(node, ref, msg::Outcome::kReturned);
        break;
      default:
        w.result(node, ref, ref.task_id.str() + "#" + std::to_string(ref.attempt));
    }
  }

  void report(unsigned node, const AssignmentRef& ref, msg::Outcome outcome) {
    constexpr std::uint64_t kCodes[] = {0, 0, 0, 503, 505, 513, 514};
    const ValueMap info{{"code", kCodes[pick(7)]}, {"error", "trouble"}};
    w.from_node(node, msg::Result{{{ref, outcome, info, {}}}});
  }

  /// A healthy fleet from now on: everything must become terminal.
  void heal() {
    for (unsigned node = 1; node <= 5; ++node) {
      nodes[node].clear();
      online[node] = true;
      w.join(node, 2, {});
    }
    for (int round = 0; round < 400 && w.core.live_tasks() > 0; ++round) {
      take_messages();
      auto todo = std::exchange(inbox, {});
      for (auto& [node, ref] : todo) {
        w.ack(node, ref);
        w.result(node, ref, ref.task_id.str() + "#" + std::to_string(ref.attempt));
      }
      for (auto& [node, ref] : std::exchange(aborts, {}))
        w.from_node(node, msg::AbortAck{{{ref, msg::AbortOutcome::kNotHeld}}});
      w.run_for(1'000);
    }
  }

  World w;
  std::mt19937 random;
  std::map<unsigned, std::set<AssignmentRef>> nodes;  // what each node holds
  std::map<unsigned, bool> online;
  std::deque<std::pair<unsigned, AssignmentRef>> inbox, aborts;
  std::map<std::string, std::string> results;
  unsigned submitted = 0;
};

}  // namespace

TEST_CASE("random histories keep every invariant and end") {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Fleet fleet(seed);
    for (int step = 0; step < 400; ++step) fleet.act();
    fleet.heal();
    CHECK(fleet.w.core.live_tasks() == 0);
    CHECK(fleet.w.core.tasks().size() == fleet.submitted);
  }
}
