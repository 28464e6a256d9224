// The life cycle of a task, edge by edge: as DESIGN.md and SPEC.md draw it, and nothing else.
#include "dispatcher/tasks/edges.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "dispatcher/tasks/task_table.h"
#include "protocol/wire/codec.h"
#include "tests/unit/aborts.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::test::death_of;

namespace {

std::string after(TaskStatus from, Step step) {
  const auto to = edge(from, step);
  return to ? std::string(name(*to)) : "-";
}

bool leads(TaskStatus from, TaskStatus to) {
  for (std::size_t i = 0; i < kSteps; ++i)
    if (edge(from, static_cast<Step>(i)) == to) return true;
  return false;
}

/// The drawing under "Life of a task".
std::vector<std::string> drawing() {
  std::ifstream file(GENAI_ROOT "/protocol/SPEC.md");
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(file, line) && line != "## Life of a task") {
  }
  while (std::getline(file, line) && line.empty()) {
  }
  for (; line.starts_with("    "); std::getline(file, line)) lines.push_back(line);
  return lines;
}

/// The statuses that a line names, each as "Name(number)", in their order.
std::vector<TaskStatus> statuses_in(const std::string& line) {
  static const std::regex kStatus(R"((\w+)\((\d)\))");
  std::vector<TaskStatus> found;
  for (std::sregex_iterator it(line.begin(), line.end(), kStatus), end; it != end; ++it) {
    const int number = std::stoi((*it)[2]);
    REQUIRE(number <= kMaxTaskStatus);
    found.push_back(static_cast<TaskStatus>(number));
    CHECK((*it)[1].str() == name(found.back()));
  }
  return found;
}

struct Table {
  Changes changes{true};
  TaskTable tasks{changes};
  Now now{from_ms(1'000), from_ms(1'700'000'000'000)};

  Task& add(const std::string& id) {
    auto task = std::make_unique<Task>();
    task->id = *TaskId::parse(id);
    task->sequence = 1;
    task->spec = KeptSpec(make_spec({}, {}));
    return tasks.insert(std::move(task), now, "accepted");
  }
};

}  // namespace

TEST_CASE("each status has the ways out that the drawing of a task's life has, and no others") {
  struct Row {
    TaskStatus from;
    std::array<std::string, kSteps> to;
  };
  using S = TaskStatus;
  const std::array<std::string, kSteps> kNames = {"assign",  "acknowledge", "keep", "requeue",
                                                  "recover", "complete",    "fail", "abort"};
  for (std::size_t i = 0; i < kSteps; ++i) CHECK(name(static_cast<Step>(i)) == kNames[i]);
  // clang-format off
  const std::vector<Row> rows = {
      //                assign       acknowledge  keep    requeue        recover        complete     fail      abort
      {S::kUnscheduled, {"Scheduled", "-",         "Sent", "-",           "Unscheduled", "Completed", "Failed", "Aborted"}},
      {S::kScheduled,   {"-",         "Sent",      "-",    "Unscheduled", "Unscheduled", "Completed", "Failed", "Aborted"}},
      {S::kSent,        {"-",         "-",         "-",    "Unscheduled", "Unscheduled", "Completed", "Failed", "Aborted"}},
      {S::kAborted,     {"-",         "-",         "-",    "-",           "-",           "-",         "-",      "-"}},
      {S::kCompleted,   {"-",         "-",         "-",    "-",           "-",           "-",         "-",      "-"}},
      {S::kFailed,      {"-",         "-",         "-",    "-",           "-",           "-",         "-",      "-"}},
  };
  // clang-format on
  REQUIRE(rows.size() == kMaxTaskStatus + 1);
  for (const Row& row : rows)
    for (std::size_t i = 0; i < kSteps; ++i) {
      INFO(name(row.from) << ", step " << name(static_cast<Step>(i)));
      CHECK(after(row.from, static_cast<Step>(i)) == row.to[i]);
    }
}

TEST_CASE("the drawing of a task's life in SPEC.md has only edges that there are") {
  const std::vector<std::string> lines = drawing();
  REQUIRE(lines.size() == 4);
  // The way of a task that goes well: each status leads to the next one.
  const std::vector<TaskStatus> way = statuses_in(lines[0]);
  REQUIRE(way.size() == 4);
  CHECK(way.front() == TaskStatus::kUnscheduled);
  for (std::size_t i = 1; i < way.size(); ++i) CHECK(leads(way[i - 1], way[i]));
  // The way back, and out at its end, from each status in the middle.
  const std::vector<TaskStatus> out = statuses_in(lines[2]);
  REQUIRE(out.size() == 1);
  for (const TaskStatus middle : {way[1], way[2]}) {
    CHECK(edge(middle, Step::kRequeue) == way.front());
    CHECK(leads(middle, out[0]));
  }
  // "any of 0, 1, 2 ─cancel─▶ Aborted(3)         3, 4 and 5 are terminal and never change"
  std::smatch match;
  const std::regex last(R"(\s*any of (\d), (\d), (\d) .*cancel.* )"
                        R"(Aborted\(3\)\s+(\d), (\d) and (\d) are terminal and never change)");
  const std::string line = std::regex_replace(lines[3], std::regex("[^ -~]+"), " ");
  REQUIRE(std::regex_match(line, match, last));
  for (int i = 1; i <= 6; ++i) {
    const auto status = static_cast<TaskStatus>(std::stoi(match[i]));
    CHECK(is_terminal(status) == (i > 3));
    CHECK(leads(status, TaskStatus::kAborted) == (i <= 3));
    for (std::uint8_t to = 0; i > 3 && to <= kMaxTaskStatus; ++to)
      CHECK(!leads(status, static_cast<TaskStatus>(to)));
  }
}

TEST_CASE("an illegal step ends the process, which tells the life of the task") {
  Table t;
  Task& task = t.add("picture-1");
  const NodeId node = *NodeId::parse("node-a");
  t.tasks.move(task, Step::kAssign, "picked as the least loaded", t.now, node, 1);
  t.tasks.move(task, Step::kAcknowledge, "node took it", t.now, node, 1);
  const auto death = death_of([&] { t.tasks.move(task, Step::kAssign, "again", t.now); });
  CHECK(death.aborted);
  CHECK_THAT(death.said, Catch::Contains("task picture-1 is Sent: no step 'assign' from there"));
  std::size_t at = 0;
  for (const char* reason : {"accepted", "picked as the least loaded", "node took it"}) {
    INFO(reason << " in: " << death.said);
    const std::size_t found = death.said.find(reason, at);
    REQUIRE(found != std::string::npos);
    at = found;
  }
  CHECK_THAT(death.said, Catch::Contains("attempt 1 at 'node-a'"));
  CHECK(task.status == TaskStatus::kSent);  // the other process had a copy
}

TEST_CASE("no step leads out of the end of a task, whatever it is") {
  const auto end = GENERATE(Step::kAbort, Step::kComplete, Step::kFail);
  Table t;
  Task& task = t.add("t");
  t.tasks.move(task, end, "its end", t.now);
  REQUIRE(is_terminal(task.status));
  for (std::size_t i = 0; i < kSteps; ++i) {
    const auto step = static_cast<Step>(i);
    INFO(name(task.status) << ", step " << name(step));
    const auto death = death_of([&] { t.tasks.move(task, step, "too late", t.now); });
    CHECK(death.aborted);
    CHECK_THAT(death.said, Catch::Contains("its end"));
  }
}
