// Who gets what: filters, load, prefetch, probation, explanations.
#include <algorithm>
#include <map>

#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

TaskSpec needing(Requirements needs) {
  TaskSpec spec;
  spec.needs = std::move(needs);
  return spec;
}

/// Equal nodes: in each round every node finishes as many tasks as it has slots, the oldest first.
/// Counts who ran how many.
std::map<unsigned, int> run_all(World& w, std::uint32_t slots) {
  std::map<unsigned, int> counts;
  std::map<unsigned, std::deque<AssignmentRef>> queues;
  for (;;) {
    for (auto& [node, ref] : w.take_assigned()) {
      w.ack(node, ref);
      queues[node].push_back(ref);
    }
    std::map<unsigned, std::size_t> running;
    for (auto& [node, queue] : queues) running[node] = std::min<std::size_t>(queue.size(), slots);
    bool any = false;
    for (std::uint32_t slot = 0; slot < slots; ++slot)
      for (auto& [node, queue] : queues) {
        if (running[node] <= slot) continue;
        ++counts[node];
        w.result(node, queue.front());
        queue.pop_front();
        any = true;
      }
    if (!any) return counts;
  }
}

}  // namespace

TEST_CASE("tasks spread evenly over equal nodes") {
  const int tasks = GENERATE(1, 5, 12, 100);
  const std::uint32_t slots = GENERATE(1u, 3u);
  const bool at_once = GENERATE(true, false);
  World w;
  std::vector<msg::ProviderEntry> nodes;
  for (unsigned n = 1; n <= 5; ++n) nodes.push_back(World::entry(n, slots));
  w.snapshot(nodes);
  std::map<unsigned, int> counts;
  if (at_once) {
    msg::Submit submit{1, msg::WatchLevel::kResult, {}};
    for (int i = 0; i < tasks; ++i)
      submit.tasks.push_back(World::submission("t" + std::to_string(i)));
    w.from_client(submit);
    counts = run_all(w, slots);
  } else {
    for (int i = 0; i < tasks; ++i) {
      w.submit("t" + std::to_string(i));
      for (auto& [node, count] : run_all(w, slots)) counts[node] += count;
    }
  }
  int least = tasks, most = 0, total = 0;
  for (unsigned n = 1; n <= 5; ++n) {
    least = std::min(least, counts[n]);
    most = std::max(most, counts[n]);
    total += counts[n];
  }
  CHECK(total == tasks);
  CHECK(most - least <= 1);
}

TEST_CASE("load is relative to slots") {
  World w;
  w.snapshot({World::entry(1, 1), World::entry(2, 4)});
  std::map<unsigned, int> counts;
  for (int i = 0; i < 5; ++i) w.submit("t" + std::to_string(i));
  for (auto& [node, ref] : w.take_assigned()) ++counts[node];
  CHECK(counts == std::map<unsigned, int>{{1, 1}, {2, 4}});
}

TEST_CASE("each hard filter refuses by itself and says so") {
  World w;
  w.snapshot({World::entry(1)});
  const auto [needs, reason] = GENERATE(table<Requirements, std::string>({
      {{"flux", "", 0, 0, 0}, "1 provider lacks model 'flux'"},
      {{"", "h100", 0, 0, 0}, "1 provider lacks GPU type 'h100'"},
      {{"", "", 9, 0, 0}, "1 provider lacks 9 CPUs"},
      {{"", "", 0, 16'001, 0}, "1 provider lacks RAM 16001 MiB"},
      {{"", "", 0, 0, 8'001}, "1 provider lacks VRAM 8001 MiB"},
  }));
  w.submit("t", needing(needs));
  CHECK(w.status("t") == TaskStatus::kUnscheduled);
  w.from_client(msg::StatusQuery{5, {task_id("t")}});
  auto tasks = w.take_to_client<msg::Tasks>();
  REQUIRE(tasks.size() == 1);
  CHECK(get_string(tasks[0].tasks.at(0), "waiting") == reason);
}

TEST_CASE("a task runs where every filter fits exactly") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t", needing({"sdxl", "rtx", 8, 16'000, 8'000}));
  CHECK(w.take_only_assigned().first == 1);
}

TEST_CASE("a task that fits nobody runs as soon as a fitting node joins") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t", needing({"flux", "", 0, 0, 0}));
  CHECK(w.take_assigned().empty());
  auto entry = World::entry(2);
  entry.meta.models = {"flux"};
  w.change(msg::Delta::Joined{entry});
  CHECK(w.take_only_assigned().first == 2);
}

TEST_CASE("a task that fits nobody does not hold up those behind it") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("stuck", needing({"flux", "", 0, 0, 0}));
  w.submit("t");
  CHECK(w.take_only_assigned().second.task_id == task_id("t"));
}

TEST_CASE("an empty fleet is explained, busy and drained ones too") {
  World w;
  w.snapshot();
  w.submit("t");
  CHECK(w.core.providers().explain({}, TaskSpec::kUnlimited, w.now.mono) ==
        "no provider is connected");
  w.join(1);
  w.join(2);
  w.submit("u");
  w.state(1, ProviderState::kSuspect);
  w.from_client(msg::Drain{3, "node-2", true});
  CHECK(w.core.providers().explain({}, TaskSpec::kUnlimited, w.now.mono) ==
        "1 provider is drained, 1 provider is suspect");
}

TEST_CASE("a drained node gets nothing until the drain ends") {
  World w;
  w.snapshot({World::entry(1)});
  w.from_client(msg::Drain{3, "node-1", true});
  CHECK(w.take_to_client<msg::Done>().size() == 1);
  w.submit("t");
  CHECK(w.take_assigned().empty());
  w.join(101);  // a restart of the node's process does not end the drain
  CHECK(w.take_assigned().empty());
  w.from_client(msg::Drain{4, "node-1", false});
  CHECK(w.take_only_assigned().first == 101);
  w.from_client(msg::Drain{5, "nobody", true});
  CHECK(w.take_only_error() == ErrorCode::kUnknownNode);
}

TEST_CASE("the backlog stays central: slots plus prefetch, and prefetch only while it is long") {
  Config config;
  config.prefetch = 1;
  World w(config);
  w.snapshot({World::entry(1, 2)});
  for (int i = 0; i < 10; ++i) w.submit("t" + std::to_string(i));
  CHECK(w.take_assigned().size() == 3);
  World short_queue(config);
  short_queue.snapshot({World::entry(1, 2)});
  for (int i = 0; i < 4; ++i) short_queue.submit("t" + std::to_string(i));
  CHECK(short_queue.take_assigned().size() == 2);
}

TEST_CASE("a requeued task goes before those that were never placed") {
  World w;
  w.snapshot({World::entry(1)});
  for (const char* id : {"a", "b", "c"}) w.submit(id);
  auto assigned = w.take_assigned();
  REQUIRE(assigned.at(0).second.task_id == task_id("a"));
  w.state(1, ProviderState::kLost);
  w.join(2);
  CHECK(w.take_assigned().at(0).second.task_id == task_id("a"));
}

TEST_CASE("a task waits for a busy node rather than go back to one it failed on") {
  Config config;
  config.prefetch = 0;
  World w(config);
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("long");
  auto [busy, long_ref] = w.take_only_assigned();
  w.ack(busy, long_ref);
  w.submit("t");
  auto [bad, ref] = w.take_only_assigned();
  w.ack(bad, ref);
  w.error(bad, ref);
  CHECK(w.take_assigned().empty());
  w.submit("fresh");  // but a task without a past takes the free node
  CHECK(w.take_only_assigned().first == bad);
  w.result(busy, long_ref);
  auto [next, again] = w.take_only_assigned();
  CHECK(next == busy);
  CHECK(again.task_id == task_id("t"));
}

TEST_CASE("with all but one node faulty every task completes") {
  World w;
  std::vector<msg::ProviderEntry> nodes;
  for (unsigned n = 1; n <= 5; ++n) nodes.push_back(World::entry(n));
  w.snapshot(nodes);
  for (int i = 0; i < 100; ++i) w.submit("t" + std::to_string(i));
  for (int rounds = 0; rounds < 2'000; ++rounds) {
    for (auto& [node, ref] : w.take_assigned()) {
      w.ack(node, ref);
      if (node == 3)
        w.result(node, ref);
      else
        w.error(node, ref);
    }
    if (w.core.live_tasks() == 0) break;
    w.run_for(50);
  }
  CHECK(w.core.tasks().count(TaskStatus::kCompleted) == 100);
}

TEST_CASE("with faulty nodes only, tasks end Failed and nothing hangs") {
  World w;
  w.snapshot({World::entry(1), World::entry(2), World::entry(3)});
  for (int i = 0; i < 20; ++i) w.submit("t" + std::to_string(i));
  for (int s = 0; s < 20 * 60 && w.core.live_tasks() > 0; ++s) {
    for (auto& [node, ref] : w.take_assigned()) {
      w.ack(node, ref);
      w.error(node, ref);
    }
    w.run_for(1000);
  }
  CHECK(w.core.tasks().count(TaskStatus::kFailed) == 20);
}

TEST_CASE("a node that keeps failing rests longer and longer, then is tried with one task") {
  Config config;
  config.max_faults = 1000;
  World w(config);
  w.snapshot({World::entry(1, 4), World::entry(2, 1)});
  w.submit("hog");
  w.submit("hog2");
  // Occupy node 2 so that the failing one is always the only one with room.
  for (auto& [node, ref] : w.take_assigned()) w.ack(node, ref);
  auto fail_one = [&](const std::string& id) {
    w.submit(id);
    auto [node, ref] = w.take_only_assigned();
    REQUIRE(node == 1);
    w.ack(node, ref);
    w.error(node, ref);
    w.cancel(id);
  };
  fail_one("a");
  fail_one("b");
  fail_one("c");
  w.submit("d");
  CHECK(w.take_assigned().empty());  // a healthy node exists, if a busy one
  w.run_for(1'100);
  CHECK(w.take_assigned().empty());  // on trial, but it still runs a hog: one task at a time
}

TEST_CASE("what a node refuses is not offered to it again at once") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  for (int i = 0; i < 100; ++i) {
    auto [node, ref] = w.take_only_assigned();
    w.ack(node, ref, ErrorCode::kNodeFull);
    CHECK(w.take_assigned().empty());
    w.run_for(1'100);
  }
  CHECK(w.task("t").issued.size() <= 64);
  CHECK(w.task("t").issued.back().number == 101);
}

TEST_CASE("an unreachable node is not offered work again and again") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  for (int i = 0; i < 10; ++i) {
    w.link(msg::Undelivered{{{World::session(1), ErrorCode::kUnreachable}}});
    w.step();
  }
  w.from_node(node, msg::AbortAck{{{ref, msg::AbortOutcome::kNotHeld}}});
  CHECK(w.take_assigned().empty());
  w.run_for(1'100);
  CHECK(w.take_assigned().size() == 1);
}
