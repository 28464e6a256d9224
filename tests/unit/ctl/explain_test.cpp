#include "tools/ctl/explain.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tools/ctl/json.h"
#include "tools/ctl/screen.h"

using namespace genai;
using namespace genai::ctl;
using client::Status;

namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a completed task is told with where its result is") {
  client::TaskInfo task;
  task.id = "t-1";
  task.status = Status::kCompleted;
  task.node_id = "n1";
  CHECK(has(joined(explanation(task)), "t-1 was completed by n1\n"));
  task.result = "dropped";
  CHECK(has(joined(explanation(task)), "n1, its result was DROPPED: nobody fetched it in time"));
  task.result = "waiting";
  CHECK(has(joined(explanation(task)), "n1, its result waits\n"));
}

TEST_CASE("tasks that are late are one sentence with their count") {
  const client::Verdict fine{"t", client::Errc::kOk, "1 provider is busy", 0, {}};
  const client::Verdict late{"u", client::Errc::kOk, "late: expected in 30 m", 0, {}};
  CHECK(late_warning({fine}).empty());
  CHECK(late_warning({fine, late}) == "1 task is not expected to end in time; expected in 30 m");
  CHECK(late_warning({late, fine, late}) ==
        "2 tasks are not expected to end in time; the first: expected in 30 m");
}

TEST_CASE("a waiting task is explained with the nodes it could go to") {
  client::TaskInfo task;
  task.id = "t-1";
  task.status = Status::kUnscheduled;
  task.waiting = "2 providers are busy";
  task.tenant = "alice";
  task.priority = 7;
  task.age_ms = 3000;
  task.finish_p50_ms = 12'300;
  task.finish_p95_ms = 40'000;
  task.candidates = {{"node-1", "are busy", 12'000, 4000, 0, 8000, 0.5},
                     {"evil \033[31m", "", 32'000, 0, 24'000, 8000, 0}};
  const std::string text = joined(explanation(task));
  CHECK(has(text, "t-1 waits: 2 providers are busy"));
  CHECK(has(text, "priority 7, tenant alice"));
  CHECK(has(text, "expected in 12.3 s, within 40.0 s with 95 %"));
  CHECK(has(text, "node-1"));
  CHECK(has(text, "24.0 s"));
  CHECK(has(text, "could take it"));
  CHECK_FALSE(has(text, "\033"));
  const Json json = to_json(task);
  CHECK(json["candidates"].size() == 2);
  CHECK(json["finish_p95_ms"] == 40'000);
}

TEST_CASE("a task that ran is explained with why it went where it went") {
  client::TaskInfo task;
  task.id = "t-1";
  task.status = Status::kCompleted;
  task.node_id = "node-2";
  task.log = {{1'700'000'000'000, "Unscheduled", "accepted", "", 0},
              {1'700'000'001'000, "Scheduled", "done soonest, in 8.0 s", "node-2", 1},
              {1'700'000'002'000, "Sent", "node took it", "node-2", 1}};
  const std::string text = joined(explanation(task));
  CHECK(has(text, "t-1 was completed by node-2"));
  CHECK(has(text, "node-2 #1: done soonest, in 8.0 s"));
  CHECK_FALSE(has(text, "accepted"));
  CHECK_FALSE(has(text, "expected"));
}

TEST_CASE("that a task waits for a node is said once") {
  client::TaskInfo task;
  task.id = "t-1";
  task.waiting = "waits for n1, done in 0.3 s, rather than n3, in 0.9 s";
  CHECK(has(joined(explanation(task)), "t-1 waits for n1, done in 0.3 s, rather than n3"));
}

TEST_CASE("what was measured is a line for each model and size") {
  client::NodeInfo node;
  node.node_id = "node-1";
  node.measured = {{"sdxl", 0, 10, 8000, 7900, 9100, 24'000, 0.97, 2},
                   {"", 34, 1.2, 100, 100, 100, 0, 1, 0}};
  const std::string text = joined(measured_table({node}));
  CHECK(has(text, "sdxl"));
  CHECK(has(text, "24.0 s"));
  CHECK(has(text, "97 %"));
  CHECK(has(text, "34"));
  CHECK(measured_table({}).size() == 1);
}

TEST_CASE("tenants and how estimates held are on the screen once there are any") {
  View view;
  CHECK_FALSE(has(joined(screen_lines(view, 120, 60)), "Tenants"));
  CHECK_FALSE(has(joined(screen_lines(view, 120, 60)), "estimates held"));
  view.stats.tenants = {{"alice", 3, 10, 2, 0, 12.5}, {"", 1, 0, 0, 0, 1}};
  view.stats.calibration = 0.942;
  view.stats.calibrated_total = 500;
  const std::string text = joined(screen_lines(view, 160, 60));
  CHECK(has(text, "Tenants (2)"));
  CHECK(has(text, "alice"));
  CHECK(has(text, "estimates held 94.2 % of 500"));
}
