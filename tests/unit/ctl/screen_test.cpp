#include "tools/ctl/screen.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tools/ctl/format.h"

using namespace genai;
using namespace genai::ctl;

namespace {

View sample(std::size_t nodes, std::size_t running, std::size_t waiting) {
  View view;
  view.endpoint = "tcp://127.0.0.1:7710";
  view.stats.store = "memory";
  view.stats.uptime_ms = 65'000;
  view.stats.tasks = {waiting, 0, running, 0, 7, 1};
  view.stats.brokers = {{"tcp://127.0.0.1:7701", "connected"}};
  for (std::size_t i = 0; i < nodes; ++i) {
    client::NodeInfo node;
    node.node_id = "node-" + std::to_string(i);
    node.state = "online";
    node.slots = 2;
    node.in_flight = 3;
    view.nodes.push_back(node);
  }
  client::TaskInfo task;
  task.id = "0192-task";
  task.label = "evil \033[31m label";
  task.fraction = 0.5;
  task.status = client::Status::kSent;
  task.node_id = "node-0";
  view.running.assign(running, task);
  task.status = client::Status::kUnscheduled;
  task.waiting = "2 providers lack model 'flux'";
  view.waiting.assign(waiting, task);
  return view;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("the screen shows the fleet, what runs and why the rest waits") {
  const std::string text = joined(screen_lines(sample(2, 1, 1), 160, 40));
  for (const char* part :
       {"up 1 m 05 s", "Completed 7", "tcp://127.0.0.1:7701 connected", "Nodes (2)", "##+1",
        "Running (1)", "[######------]  50 %", "Waiting (1)", "2 providers lack model 'flux'"}) {
    CAPTURE(part, text);
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(text.find('\033') == std::string::npos);
}

TEST_CASE("any size is kept to, and waiting tasks are not crowded out") {
  for (const std::size_t height : {0u, 1u, 5u, 10u, 24u, 50u})
    for (const std::size_t width : {0u, 1u, 20u, 80u, 200u}) {
      const auto lines = screen_lines(sample(100, 100, 100), width, height);
      CHECK(lines.size() <= height);
      for (const auto& line : lines) CHECK(columns(line) <= width);
    }
  CHECK(joined(screen_lines(sample(100, 100, 100), 120, 40)).find("Waiting (100)") !=
        std::string::npos);
}

TEST_CASE("what has no room on the screen is counted") {
  const std::string text = joined(screen_lines(sample(150, 0, 120), 200, 60));
  CAPTURE(text);
  CHECK(text.find("Nodes (150)") != std::string::npos);
  for (const char* more : {"... and 126 more", "... and 96 more"})
    CHECK(text.find(more) != std::string::npos);
  CHECK(joined(screen_lines(sample(3, 2, 1), 200, 60)).find("more") == std::string::npos);
}

TEST_CASE("trouble is told above what was last seen") {
  View view = sample(1, 0, 0);
  view.trouble = "no answer";
  CHECK(screen_lines(view, 80, 24)[1] == "!! no answer");
}

TEST_CASE("a drained node says so") {
  View view = sample(1, 0, 0);
  view.nodes[0].drained = true;
  CHECK(joined(node_table(view.nodes, true)).find("online,drained") != std::string::npos);
}

TEST_CASE("a node in trouble says how long it rests, and why") {
  View view = sample(2, 0, 0);
  view.nodes[1].probation_ms = 3'200;
  view.nodes[1].trouble = "can run nothing now: no scratch folder";
  for (const std::string& text :
       {joined(node_table(view.nodes, false)), joined(screen_lines(view, 160, 24))}) {
    CAPTURE(text);
    CHECK(text.find("online,rests 3.2 s") != std::string::npos);
    CHECK(text.find("TROUBLE") != std::string::npos);
    CHECK(text.find("can run nothing now: no scratch folder") != std::string::npos);
  }
  CHECK(joined(node_table(sample(2, 0, 0).nodes, false)).find("TROUBLE") == std::string::npos);
}
