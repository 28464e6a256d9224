// What sessions have been given, and the aborts that they have not acknowledged.
#include "dispatcher/tasks/assignments.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/aborts.h"
#include "tests/unit/dispatcher/tasks/life.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::session;
using genai::test::death_of;

namespace {

constexpr Duration kAgain = from_ms(2'000);

AssignmentRef ref_to(const std::string& id, std::uint32_t attempt = 1) {
  return {*TaskId::parse(id), attempt, 7};
}

struct Given {
  Assignments assignments;
  Assignee& node = assignments.open(session(1));
  std::vector<AssignmentRef> resent;

  void resend(Duration now) {
    resent.clear();
    assignments.resend_aborts(now, kAgain,
                              [&](const Assignee&, const AssignmentRef& ref, ErrorCode code) {
                                CHECK(code == ErrorCode::kCancelled);
                                resent.push_back(ref);
                              });
  }
  bool abort(const AssignmentRef& ref, Duration due) {
    return assignments.abort(node, ref, ErrorCode::kCancelled, due);
  }
};

Task with(TaskStatus status) {
  Task task;
  task.status = status;
  task.issued = {{1, 7, session(1), *NodeId::parse("n")}};
  task.current = 1;
  return task;
}

}  // namespace

TEST_CASE("a node works on the first tasks that it has taken, as many as it has slots") {
  Given given;
  given.node.slots = 2;
  Task sent = with(TaskStatus::kScheduled), a = with(TaskStatus::kSent),
       b = with(TaskStatus::kSent), c = with(TaskStatus::kSent),
       elsewhere = with(TaskStatus::kSent);
  for (Task* task : {&sent, &a, &b, &c}) Assignments::give(given.node, *task);
  given.assignments.check();
  CHECK(!given.node.is_executing(sent));
  CHECK(given.node.is_executing(a));
  CHECK(given.node.is_executing(b));
  CHECK(!given.node.is_executing(c));
  CHECK(!given.node.is_executing(elsewhere));
  Assignments::take(given.node, a);
  CHECK(given.node.is_executing(c));
  CHECK(!given.node.is_executing(a));
  sent.status = TaskStatus::kSent;  // it was given first, so it is among the first
  CHECK(given.node.is_executing(sent));
  CHECK(given.node.is_executing(b));
  CHECK(!given.node.is_executing(c));
}

TEST_CASE("aborted attempts occupy their node until they are acknowledged") {
  Given given;
  Task task = with(TaskStatus::kSent);
  Assignments::give(given.node, task);
  CHECK(given.node.outstanding() == 1);
  CHECK(given.abort(ref_to("x"), from_ms(10)));
  CHECK(given.node.outstanding() == 2);
  CHECK(!given.abort(ref_to("x"), from_ms(20)));
  CHECK(given.node.outstanding() == 2);
  CHECK(given.abort(ref_to("x", 2), from_ms(30)));
  CHECK(given.node.outstanding() == 3);
  given.node.aborts.erase(ref_to("x"));
  CHECK(given.node.outstanding() == 2);
}

TEST_CASE("an abort is due again and again until it is acknowledged") {
  Given given;
  CHECK(given.assignments.next_deadline() == kNever);
  given.abort(ref_to("x"), from_ms(1'000));
  CHECK(given.assignments.next_deadline() == from_ms(1'000));
  given.resend(from_ms(999));
  CHECK(given.resent.empty());
  for (Duration due = from_ms(1'000); due < from_ms(9'000); due += kAgain) {
    given.resend(due);
    CHECK(given.resent == std::vector{ref_to("x")});
    CHECK(given.assignments.next_deadline() == due + kAgain);
    given.resend(due);
    CHECK(given.resent.empty());
  }
  given.node.aborts.erase(ref_to("x"));
  given.resend(from_ms(100'000));
  CHECK(given.resent.empty());
  CHECK(given.assignments.next_deadline() == kNever);
}

TEST_CASE("an attempt that was acknowledged and is aborted again is due once, when that is due") {
  Given given;
  given.abort(ref_to("x"), from_ms(1'000));
  given.node.aborts.erase(ref_to("x"));
  given.abort(ref_to("x"), from_ms(1'500));
  given.resend(from_ms(1'400));
  CHECK(given.resent.empty());
  given.resend(from_ms(1'500));
  CHECK(given.resent == std::vector{ref_to("x")});
}

TEST_CASE("after a long pause each abort is due once, and not once for each time that was missed") {
  Given given;
  given.abort(ref_to("x"), from_ms(1'000));
  given.abort(ref_to("y"), from_ms(1'100));
  given.resend(from_ms(60'000));
  CHECK(given.resent == std::vector{ref_to("x"), ref_to("y")});
  CHECK(given.assignments.next_deadline() == from_ms(60'000) + kAgain);
}

TEST_CASE("nothing is due for a session that is gone, nor for its successor") {
  Given given;
  given.abort(ref_to("x"), from_ms(1'000));
  given.assignments.close(session(1));
  CHECK(given.assignments.find(session(1)) == nullptr);
  given.assignments.open(session(1));
  given.resend(from_ms(5'000));
  CHECK(given.resent.empty());
}

TEST_CASE("sessions are entered once, and end only without tasks") {
  Given given;
  CHECK(given.assignments.find(session(1)) == &given.node);
  CHECK(given.assignments.find(session(2)) == nullptr);
  CHECK(given.assignments.size() == 1);
  CHECK(death_of([&] { given.assignments.open(session(1)); }).aborted);
  CHECK(death_of([&] { given.assignments.close(session(2)); }).aborted);
  Task task = with(TaskStatus::kSent);
  CHECK(death_of([&] { Assignments::take(given.node, task); }).aborted);
  Assignments::give(given.node, task);
  CHECK(death_of([&] { given.assignments.close(session(1)); }).aborted);
  task.status = TaskStatus::kUnscheduled;  // and is still in the list
  CHECK(death_of([&] { given.assignments.check(); }).aborted);
}
