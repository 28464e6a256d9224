// Who is to blame when nodes are lost, without the tasks' lives around it.
#include "dispatcher/tasks/blame.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

using namespace genai;
using namespace genai::dispatcher;

namespace {

constexpr Duration kWindow = from_ms(5'000);

struct Losses {
  AttemptLimits limits;
  Blame blame{limits, kWindow};
  Now now{from_ms(1'000'000), from_ms(1'700'000'000'000)};

  void pass(Duration span) { now.mono += span; }
  static NodeId node(unsigned number) { return *NodeId::parse("node-" + std::to_string(number)); }
  static Assignee assignee(unsigned number, std::vector<Task*> tasks = {},
                           std::uint32_t slots = 1) {
    Assignee lost;
    lost.node_id = node(number);
    lost.slots = slots;
    lost.tasks = std::move(tasks);
    return lost;
  }
  /// The node is lost while it executes the task, which is requeued if it is not the culprit.
  Blame::Verdict lose_with(Task& task, unsigned number, std::uint32_t failures = 0,
                           std::size_t fleet = 100) {
    run(task, number);
    const Blame::Verdict verdict = blame.judge(assignee(number, {&task}), fleet, failures, now);
    if (verdict.is_crash) {
      task.attempt(task.current)->failed = true;
      ++task.losses;
    }
    return verdict;
  }
  Blame::Verdict lose(unsigned number, std::size_t fleet = 100) {
    return blame.judge(assignee(number), fleet, 0, now);
  }
  static void run(Task& task, unsigned number, TaskStatus status = TaskStatus::kSent) {
    task.current = static_cast<std::uint32_t>(task.issued.size() + 1);
    task.issued.push_back({task.current, 1, {}, node(number)});
    task.status = status;
  }
  Task accepted() {
    Task task;
    task.crashes_before = static_cast<std::uint32_t>(blame.crashes());
    return task;
  }
};

}  // namespace

TEST_CASE("blame: a node that falls silent alone has crashed, and no task is blamed at once") {
  Losses l;
  Task task = l.accepted();
  const auto verdict = l.lose_with(task, 1);
  CHECK(verdict.is_crash);
  CHECK(verdict.culprit == nullptr);
  CHECK(l.blame.crashes() == 1);
}

TEST_CASE("blame: when most of the fleet is silent at once the network is to blame") {
  Losses l;
  constexpr unsigned kFleet = 10;
  std::vector<bool> crashes;
  for (unsigned i = 0; i < kFleet; ++i) {
    l.pass(from_ms(10));
    crashes.push_back(l.lose(i, kFleet - i).is_crash);
  }
  CHECK(crashes.front());  // one of ten
  CHECK(!crashes.back());
  CHECK(std::ranges::is_sorted(crashes, std::greater<>()));
  CHECK(std::ranges::count(crashes, true) <= kFleet / 2 + 1);
  CHECK(l.blame.crashes() == static_cast<std::uint64_t>(std::ranges::count(crashes, true)));
  l.pass(kWindow);
  CHECK(l.lose(kFleet, kFleet).is_crash);
}

TEST_CASE("blame: in a small fleet single losses are no mass loss") {
  Losses l;
  CHECK(l.lose(1, 2).is_crash);
  CHECK(l.lose(2, 1).is_crash);
}

TEST_CASE("blame: one node that is lost again and again is one node") {
  Losses l;
  for (int i = 0; i < 20; ++i) {
    l.pass(from_ms(100));
    CHECK(l.lose(1, 3).is_crash);
  }
}

TEST_CASE("blame: a task that goes from node to node and kills each of them is the culprit") {
  Losses l;
  l.limits.max_crashes = 3;
  Task task = l.accepted();
  CHECK(l.lose_with(task, 1).culprit == nullptr);
  CHECK(l.lose_with(task, 2).culprit == nullptr);
  CHECK(l.lose_with(task, 3).culprit == &task);
}

TEST_CASE("blame: a killer is found even if it kills the whole fleet within moments") {
  Losses l;
  l.limits.max_crashes = 3;
  Task task = l.accepted();
  for (unsigned number = 1; number <= 3; ++number) {
    l.pass(from_ms(100));
    const auto verdict = l.lose_with(task, number, 0, 4 - number);
    INFO("node " << number);
    CHECK(verdict.is_crash);
    CHECK(verdict.culprit == (number == 3 ? &task : nullptr));
  }
}

TEST_CASE("blame: a task is not blamed for a node at which it only waited or had not arrived") {
  Losses l;
  l.limits.max_crashes = 1;
  Task first = l.accepted(), waits = l.accepted(), sent = l.accepted();
  // With a limit of one loss, whoever is executed is blamed.
  Losses::run(first, 1);
  Losses::run(waits, 1);
  Losses::run(sent, 1, TaskStatus::kScheduled);
  const auto verdict = l.blame.judge(Losses::assignee(1, {&sent, &first, &waits}), 100, 0, l.now);
  CHECK(verdict.culprit == &first);
  Losses::run(sent, 2, TaskStatus::kScheduled);
  CHECK(l.blame.judge(Losses::assignee(2, {&sent}), 100, 0, l.now).culprit == nullptr);
}

TEST_CASE("blame: of several dangerous tasks the one that was begun last is blamed") {
  Losses l;
  l.limits.max_crashes = 1;
  Task older = l.accepted(), younger = l.accepted();
  Losses::run(older, 1);
  Losses::run(younger, 1);
  const auto verdict = l.blame.judge(Losses::assignee(1, {&older, &younger}, 2), 100, 0, l.now);
  CHECK(verdict.culprit == &younger);
}

TEST_CASE("blame: a task whose node fails at other work too is not to blame for that node") {
  Losses l;
  l.limits.max_crashes = 3;
  Task task = l.accepted();
  for (int i = 0; i < 5; ++i) {
    l.pass(kWindow);
    CHECK(l.lose_with(task, 1, 1 + static_cast<std::uint32_t>(i)).culprit == nullptr);
  }
  l.pass(kWindow);
  CHECK(l.lose_with(task, 1, 0).culprit == &task);  // it did other work in between
}

TEST_CASE("blame: where nodes are lost all the time a task is not to blame for its share") {
  Losses l;
  l.limits.max_crashes = 3;
  Task task = l.accepted();
  unsigned number = 0;
  for (int i = 0; i < 4; ++i) {
    for (int others = 0; others < 3; ++others) {
      l.pass(kWindow);
      REQUIRE(l.lose(++number).is_crash);
    }
    l.pass(kWindow);
    CHECK(l.lose_with(task, ++number).culprit == nullptr);
  }
  // The losses before its acceptance do not count for it.
  Task newer = l.accepted();
  for (int i = 0; i < 3; ++i) {
    l.pass(kWindow);
    CHECK(l.lose_with(newer, ++number).culprit == (i == 2 ? &newer : nullptr));
  }
}

TEST_CASE("blame: nodes at which attempts failed are counted once each") {
  Task task;
  CHECK(nodes_failed(task) == 0);
  for (const unsigned number : {1u, 1u, 2u}) {
    Losses::run(task, number);
    task.attempt(task.current)->failed = true;
  }
  Losses::run(task, 3);
  task.attempt(task.current)->failed = false;
  CHECK(nodes_failed(task) == 3);  // that of the present attempt among them
  task.current = 0;
  CHECK(nodes_failed(task) == 2);
}
