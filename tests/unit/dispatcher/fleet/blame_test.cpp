// Nodes that die: is it the task's fault, or their own?
#include "tests/unit/dispatcher/placement/workshop.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Workshop;
using End = Workshop::End;

namespace {

End poisoned(const std::string& task) { return task == "poison" ? End::kCrash : End::kOk; }

}  // namespace

TEST_CASE("a task that brings down its nodes is quarantined after three crashes, however few") {
  const unsigned nodes = GENERATE(1u, 2u, 3u, 8u);
  CAPTURE(nodes);
  Workshop w;
  w.add_nodes(nodes, {.end = poisoned});
  w.submit("poison");
  w.submit_many(20);
  w.work_until_idle(30'000);
  CHECK(w.crashes == 3);
  CHECK(w.task("poison").code == ErrorCode::kQuarantined);
  CHECK(w.count(TaskStatus::kCompleted) == 20);
  const std::string error = get_string(w.task("poison").info, "error");
  CAPTURE(error);
  const std::string count = nodes == 1 ? "(1 different node)" : nodes == 2 ? "(2 d" : "(3 d";
  CHECK(error.find("3 times a node was lost while it executed this task " + count) !=
        std::string::npos);
}

TEST_CASE("with nothing else to do, two nodes are enough to tell a poisonous task") {
  Workshop w;
  w.add_nodes(2, {.end = poisoned});
  w.submit("poison");
  w.work_until_idle(60'000);
  CHECK(w.crashes == 3);
  CHECK(w.task("poison").code == ErrorCode::kQuarantined);
}

TEST_CASE("a sole node that crashes with every task has no task quarantined") {
  Workshop w;
  const Duration mended = w.now.mono + from_ms(60'000);
  w.add_nodes(
      1, {.end = [&](const std::string&) { return w.now.mono < mended ? End::kCrash : End::kOk; }});
  w.submit_many(GENERATE(3, 20));
  w.work_until_idle(120'000);
  CHECK(w.count(TaskStatus::kFailed) == 0);
  CHECK(w.crashes >= 8);
}

TEST_CASE("a sole node with a sole task that crash are both given time") {
  Workshop w;
  w.add_nodes(1, {.end = poisoned});
  w.submit("poison");
  w.work_until_idle(600'000, 100);
  // Which of the two it is cannot be told: the limit on losses ends it.
  CHECK(w.task("poison").code == ErrorCode::kProviderLost);
  CHECK(w.crashes == 10);
}

TEST_CASE("a task that hops from one crash to the next does not pass for a failing network") {
  Workshop w;
  w.add_nodes(3, {.run_ms = 10, .end = poisoned});  // all within the lost time
  w.submit("poison");
  w.work_for(2'000);
  CHECK(w.task("poison").code == ErrorCode::kQuarantined);
  CHECK(w.crashes == 3);
}

TEST_CASE("who was there by chance when a node went down is not quarantined with the culprit") {
  Workshop w;
  w.add_nodes(1, {.slots = 2, .slow = {{"long", 2'000}, {"poison", 500}}, .end = poisoned});
  w.submit("long");
  w.work_for(100);
  w.submit("poison");
  w.submit_many(20);
  w.work_until_idle(60'000);
  CHECK(w.crashes == 3);
  CHECK(w.task("poison").code == ErrorCode::kQuarantined);
  CHECK(w.task("long").losses == 3);
  CHECK(w.status("long") == TaskStatus::kCompleted);
  CHECK(w.count(TaskStatus::kCompleted) == 21);
}
