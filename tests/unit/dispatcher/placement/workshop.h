// Nodes that act by themselves, on virtual time: they run what they are given, refuse what they
// have no room for, and end or die as the test says.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/dispatcher/world.h"

namespace genai::dispatcher::test {

struct Workshop : World {
  enum class End {
    kOk,
    kError,
    kReturn,  // it can run nothing now: given back as soon as it has come
    kCrash,   // the process dies, and another is there at once
  };
  struct Node {
    std::size_t slots = 1;
    std::size_t room = 64;        // tasks that it takes, those that wait for a slot among them
    bool keeps_finished = false;  // until the result is acknowledged, and counts it for its room
    std::uint64_t run_ms = 20;
    std::map<std::string, std::uint64_t> slow = {};  // tasks that run for so many ms
    std::function<End(const std::string& task)> end = [](const std::string&) { return End::kOk; };
  };

  using World::World;

  void add_nodes(unsigned count, const Node& node) {
    if (benches.empty()) snapshot();
    for (unsigned n = 1; n <= count; ++n) {
      const unsigned number = static_cast<unsigned>(benches.size()) + 1;
      benches[number].node = node;
      join(number, static_cast<std::uint32_t>(node.slots));
    }
  }
  Node& node(unsigned number) { return benches.at(number).node; }
  void submit_many(int count, const TaskSpec& spec = {}) {
    msg::Submit message{1, msg::WatchLevel::kResult, {}};
    for (int i = 0; i < count; ++i)
      message.tasks.push_back(submission("t" + std::to_string(i), spec));
    from_client(message);
  }

  void work_for(std::uint64_t ms, std::uint64_t step_ms = 10) {
    for (std::uint64_t passed = 0; passed < ms; passed += step_ms) {
      act();
      run_for(step_ms);
    }
    act();
  }
  /// Until no task is open; returns for how many milliseconds.
  std::uint64_t work_until_idle(std::uint64_t most_ms, std::uint64_t step_ms = 10) {
    std::uint64_t passed = 0;
    for (; core.live_tasks() > 0 && passed < most_ms; passed += step_ms) work_for(step_ms, step_ms);
    REQUIRE(core.live_tasks() == 0);
    return passed;
  }

  std::size_t count(TaskStatus status) const { return core.tasks().count(status); }
  std::uint32_t most_faults(int tasks) const {
    std::uint32_t most = 0;
    for (int i = 0; i < tasks; ++i) most = std::max(most, task("t" + std::to_string(i)).faults);
    return most;
  }
  std::string waiting(const std::string& id) { return get_string(status_of(id), "waiting"); }
  ValueMap node_map(unsigned number) {
    from_client(msg::NodesQuery{9, false});
    const std::string name = "node-" + std::to_string(number);
    const auto lists = take_to_client<msg::NodeList>();
    for (const ValueMap& map : lists.at(0).nodes)
      if (get_string(map, "node_id") == name) return map;
    FAIL("no node " << name);
    return {};
  }

  std::uint64_t runs = 0, refusals = 0, crashes = 0;

 private:
  struct Held {
    AssignmentRef ref;
    Duration ends = kNever;  // of one that runs
    bool finished = false;
  };
  struct Bench {
    Node node;
    unsigned life = 0;
    std::vector<Held> held;
  };
  unsigned session_of(unsigned number) const { return number + 100 * benches.at(number).life; }

  void act() {
    for (auto& [session, ref] : take_assigned()) take(session, ref);
    for (auto& [session, entry] : take_to_nodes<msg::ResultAck>())
      std::erase_if(benches.at(session % 100).held,
                    [&](const Held& held) { return held.finished && held.ref == entry.ref; });
    for (auto& [number, bench] : benches) {
      start(bench);
      end_due(number, bench);
    }
  }
  void take(unsigned session, const AssignmentRef& ref) {
    Bench& bench = benches.at(session % 100);
    if (session != session_of(session % 100)) return;  // to one that is dead
    const bool full = bench.held.size() >= bench.node.room;
    refusals += full;
    ack(session, ref, full ? ErrorCode::kNodeFull : ErrorCode::kOk);
    if (!full) bench.held.push_back({ref});
  }
  void start(Bench& bench) {
    for (std::size_t i = 0; i < std::min(bench.held.size(), bench.node.slots); ++i) {
      if (bench.held[i].ends != kNever) continue;
      const auto slow = bench.node.slow.find(bench.held[i].ref.task_id.str());
      const bool is_slow = slow != bench.node.slow.end();
      bench.held[i].ends = now.mono + from_ms(is_slow ? slow->second : bench.node.run_ms);
      ++runs;
    }
  }
  void end_due(unsigned number, Bench& bench) {
    for (std::size_t i = 0; i < bench.held.size();) {
      const auto [ref, ends, finished] = bench.held[i];
      const End end = bench.node.end(ref.task_id.str());
      if (finished || (ends > now.mono && !(end == End::kReturn && ends != kNever))) {
        ++i;
        continue;
      }
      if (end == End::kCrash) return crash(number, bench);
      if (bench.node.keeps_finished)
        bench.held[i].finished = true;
      else
        bench.held.erase(bench.held.begin() + static_cast<std::ptrdiff_t>(i));
      if (end == End::kOk) result(session_of(number), ref);
      if (end == End::kError) error(session_of(number), ref);
      if (end == End::kReturn) return_unfit(session_of(number), ref);
    }
  }
  void return_unfit(unsigned session, const AssignmentRef& ref) {
    const ValueMap info{{"code", std::uint64_t{514}}, {"error", "no scratch folder"}};
    from_node(session, msg::Result{{{ref, msg::Outcome::kReturned, info, {}}}});
  }
  void crash(unsigned number, Bench& bench) {
    ++crashes;
    bench.held.clear();
    state(session_of(number), ProviderState::kLost);
    ++bench.life;
    join(session_of(number), static_cast<std::uint32_t>(bench.node.slots));
  }

  std::map<unsigned, Bench> benches;
};

}  // namespace genai::dispatcher::test
