// The screen of `top` as lines: complete, in bounds, safe.
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
  view.stats.epoch = 42;
  view.stats.store = "memory";
  view.stats.uptime_ms = 65'000;
  view.stats.tasks = {waiting, 0, running, 0, 7, 1};
  view.stats.brokers = {{"tcp://127.0.0.1:7701", "connected"}};
  view.completed_per_s = 2.5;
  client::NodeInfo node;
  node.state = "online";
  node.slots = 2;
  node.in_flight = 1;
  node.models = {"sdxl", "flux"};
  for (std::size_t i = 0; i < nodes; ++i) {
    node.node_id = "node-" + std::to_string(i);
    view.nodes.push_back(node);
  }
  client::TaskInfo task;
  task.id = "0192-task";
  task.label = "a lighthouse";
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

std::string screen(const View& view) { return joined(screen_lines(view, 200, 100)); }

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a broker that tells its metrics is shown with its nodes") {
  View view = sample(1, 0, 0);
  CHECK(holds(screen(view), "brokers  tcp://127.0.0.1:7701 connected\n"));
  view.stats.brokers[0].metrics = {{"nodes_online", 12}, {"nodes_suspect", 1}, {"lost_total", 3}};
  CHECK(holds(screen(view), "connected (12 online, 1 suspect, 0 draining, 3 lost so far)"));
}

TEST_CASE("the screen shows the dispatcher, the fleet, what runs and why the rest waits") {
  const std::string text = screen(sample(2, 1, 3));
  for (const char* part : {"tcp://127.0.0.1:7710", "epoch 42", "up 1 m 05 s", "Unscheduled 3",
                           "Completed 7", "2.5 completed/s", "tcp://127.0.0.1:7701 connected",
                           "Nodes (2)", "#-", "sdxl,flux", "Running (1)", "[######------]  50 %",
                           "a lighthouse", "Waiting (3)", "2 providers lack model 'flux'"}) {
    CAPTURE(part, text);
    CHECK(holds(text, part));
  }
}

TEST_CASE("every metric is on a screen with room, and on a small one none") {
  View v = sample(1, 1, 1);
  v.stats.metrics = {{"accepted_total", 12}, {"calibration", 0.5}, {"newer_than_this_total", 3}};
  const auto shown = [&](std::size_t width, std::size_t height) {
    std::string text;
    for (const std::string& line : screen_lines(v, width, height)) text += line + "\n";
    return text;
  };
  const std::string wide = shown(120, 60), narrow = shown(40, 60);
  CHECK(wide.find("accepted_total 12   calibration 0.5   newer_than_this_total 3") !=
        std::string::npos);
  CHECK(narrow.find("accepted_total 12   calibration 0.5\nnewer_than_this_total 3") !=
        std::string::npos);
  CHECK(shown(120, 10).find("Metrics") == std::string::npos);
}

TEST_CASE("a single look knows no rate, and shows none") {
  View view = sample(1, 1, 1);
  view.completed_per_s.reset();
  CHECK(!holds(screen(view), "completed/s"));
}

TEST_CASE("any size is kept to, and waiting tasks are not crowded out") {
  View view = sample(500, 500, 500);
  view.running[0].label = "城市城市城市城市城市城市城市城市";
  for (const std::size_t width : {0u, 1u, 7u, 20u, 40u, 80u, 200u, 300u})
    for (const std::size_t height : {0u, 1u, 2u, 5u, 10u, 12u, 24u, 50u, 60u}) {
      const auto lines = screen_lines(view, width, height);
      CHECK(lines.size() <= height);
      for (const std::string& line : lines) CHECK(columns(line) <= width);
    }
  const std::string text = joined(screen_lines(view, 120, 40));
  for (const char* part : {"Nodes (500)", "Running (500)", "Waiting (500)"}) {
    CAPTURE(part, text);
    CHECK(holds(text, part));
  }
}

TEST_CASE("what has no room on the screen is counted") {
  const std::string text = joined(screen_lines(sample(150, 0, 120), 200, 60));
  CAPTURE(text);
  CHECK(holds(text, "Nodes (150)"));
  for (const char* more : {"... and 126 more", "... and 96 more"}) CHECK(holds(text, more));
  CHECK(!holds(joined(screen_lines(sample(3, 2, 1), 200, 60)), "more"));
}

TEST_CASE("trouble is told above what was last seen") {
  View view = sample(1, 0, 0);
  view.trouble = "no answer";
  const auto lines = screen_lines(view, 80, 24);
  CHECK(lines[1] == "!! no answer");
  CHECK(holds(joined(lines), "node-0"));
}

TEST_CASE("nothing that a peer wrote reaches the terminal raw, or is escaped twice") {
  View view = sample(1, 1, 1);
  const std::string evil = "\033[2J";
  view.stats.store = view.stats.brokers[0].state = view.trouble = evil;
  client::NodeInfo& node = view.nodes[0];
  node.node_id = node.state = node.gpu_type = node.models[0] = evil;
  client::TaskInfo& running = view.running[0];
  running.id = running.label = running.text = running.node_id = evil;
  view.waiting[0].id = view.waiting[0].waiting = evil;
  view.waiting[0].label = "back\\slash";
  const std::string text =
      joined(screen_lines(view, 300, 100)) + joined(node_table(view.nodes, true));
  CHECK(!holds(text, "\033"));
  CHECK(holds(text, "back\\\\slash"));
  CHECK(!holds(text, "back\\\\\\"));
}

TEST_CASE("a node with more than its slots shows what is prefetched") {
  View view = sample(1, 0, 0);
  view.nodes[0].in_flight = 3;
  CHECK(holds(joined(node_table(view.nodes, false)), "##+1"));
}

TEST_CASE("a drained node says so") {
  View view = sample(1, 0, 0);
  view.nodes[0].drained = true;
  CHECK(holds(joined(node_table(view.nodes, true)), "online,drained"));
}

TEST_CASE("a node in trouble says how long it rests, and why") {
  View view = sample(2, 0, 0);
  view.nodes[1].probation_ms = 3'200;
  view.nodes[1].trouble = "can run nothing now: no scratch folder";
  for (const std::string& text :
       {joined(node_table(view.nodes, false)), joined(screen_lines(view, 160, 24))}) {
    CAPTURE(text);
    CHECK(holds(text, "online,rests 3.2 s"));
    CHECK(holds(text, "TROUBLE"));
    CHECK(holds(text, "can run nothing now: no scratch folder"));
  }
  CHECK(!holds(joined(node_table(sample(2, 0, 0).nodes, false)), "TROUBLE"));
}
