// The screen of `top` as lines: complete, in bounds, safe.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tools/ctl/format.h"
#include "tools/ctl/screen.h"

using namespace genai;
using namespace genai::ctl;
using genai::client::Status;

namespace {

View view() {
  View v;
  v.endpoint = "tcp://127.0.0.1:7710";
  v.stats.epoch = 42;
  v.stats.uptime_ms = 61'000;
  v.stats.store = "memory";
  v.stats.tasks[static_cast<std::size_t>(Status::kSent)] = 1;
  v.stats.tasks[static_cast<std::size_t>(Status::kUnscheduled)] = 7;
  v.stats.brokers = {{"tcp://127.0.0.1:7701", "connected"}};
  v.completed_per_s = 2.5;
  client::NodeInfo node;
  node.node_id = "node-1";
  node.state = "online";
  node.slots = 4;
  node.in_flight = 2;
  node.models = {"sdxl", "flux"};
  v.nodes = {node};
  client::TaskInfo task;
  task.id = "t-1";
  task.label = "a lighthouse";
  task.node_id = "node-1";
  task.fraction = 0.5;
  v.running = {task};
  task.id = "t-2";
  task.waiting = "1 provider lacks model 'xl'";
  v.waiting = {task};
  return v;
}

bool holds(const std::vector<std::string>& lines, const std::string& part) {
  return std::ranges::any_of(
      lines, [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("the screen shows the dispatcher, its nodes and its tasks") {
  const auto lines = screen_lines(view(), 200, 100);
  for (const char* part :
       {"tcp://127.0.0.1:7710", "epoch 42", "up 1 m 01 s", "Unscheduled 7", "2.5 completed/s",
        "tcp://127.0.0.1:7701 connected", "Nodes (1)", "##--", "sdxl,flux", "Running (1)", "50 %",
        "a lighthouse", "Waiting (7)", "lacks model 'xl'"})
    CHECK(holds(lines, part));
}

TEST_CASE("a single look knows no rate, and shows none") {
  View v = view();
  v.completed_per_s.reset();
  CHECK(!holds(screen_lines(v, 200, 100), "completed/s"));
}

TEST_CASE("every metric is on a screen with room, and on a small one none") {
  View v = view();
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

TEST_CASE("it fits any terminal") {
  View v = view();
  for (int i = 0; i < 500; ++i) {
    v.nodes.push_back(v.nodes[0]);
    v.running.push_back(v.running[0]);
    v.waiting.push_back(v.waiting[0]);
  }
  v.running[0].label = "城市城市城市城市城市城市城市城市";
  for (std::size_t width : {1u, 7u, 40u, 80u, 300u})
    for (std::size_t height : {1u, 2u, 5u, 12u, 24u, 60u}) {
      const auto lines = screen_lines(v, width, height);
      CHECK(lines.size() <= height);
      for (const std::string& line : lines) CHECK(columns(line) <= width);
    }
  const auto lines = screen_lines(v, 120, 40);
  for (const char* part : {"Nodes (501)", "Running (1)", "Waiting (7)"}) CHECK(holds(lines, part));
}

TEST_CASE("a silent dispatcher is said on the last screen") {
  View v = view();
  v.trouble = "no answer";
  const auto lines = screen_lines(v, 100, 30);
  CHECK(holds(lines, "!! no answer"));
  CHECK(holds(lines, "node-1"));
}

TEST_CASE("nothing that a peer wrote reaches the terminal raw, or is escaped twice") {
  View v = view();
  const std::string evil = "\033[2J";
  v.stats.store = v.stats.brokers[0].state = v.trouble = evil;
  v.nodes[0].node_id = v.nodes[0].state = v.nodes[0].gpu_type = v.nodes[0].models[0] = evil;
  v.running[0].id = v.running[0].label = v.running[0].text = v.running[0].node_id = evil;
  v.waiting[0].id = v.waiting[0].waiting = evil;
  v.waiting[0].label = "back\\slash";
  auto lines = screen_lines(v, 300, 100);
  for (const std::string& line : node_table(v.nodes, true)) lines.push_back(line);
  for (const std::string& line : lines) CHECK(line.find('\033') == std::string::npos);
  CHECK(holds(lines, "back\\\\slash"));
  CHECK(!holds(lines, "back\\\\\\"));
}

TEST_CASE("a node with more than its slots shows what is prefetched") {
  View v = view();
  v.nodes[0].slots = 2;
  v.nodes[0].in_flight = 3;
  CHECK(holds(node_table(v.nodes, false), "##+1"));
}
