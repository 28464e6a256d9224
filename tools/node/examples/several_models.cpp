// A node with several models, of which one at a time is in memory. It says which, and how long the
// loading took, so that the dispatcher prefers tasks of the model that is there.
//
//   several_models BROKER NODE_ID
#include <genai/node.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>

using namespace genai::node;

namespace {

using Clock = std::chrono::steady_clock;
using Paint = std::function<TaskResult(const Task&)>;

std::string steps_of(const Task& task) {
  const auto it = task.params.find("steps");
  const auto* steps = it == task.params.end() ? nullptr : std::get_if<std::int64_t>(&it->second);
  return std::to_string(steps ? *steps : 20) + " steps";
}

TaskResult text(std::string what) { return TaskResult::ok(std::move(what), "text/plain"); }

/// The last one makes two files, with what is known of each.
const std::map<std::string, Paint> kModels{
    {"sdxl", [](const Task& task) { return text("sdxl painted it in " + steps_of(task)); }},
    {"flux", [](const Task& task) { return text("flux painted it in " + steps_of(task)); }},
    {"pair", [](const Task& task) {
       return TaskResult::bundle(
           {{"left.txt", "text/plain", task.payload, {{"seed", std::int64_t{1}}}},
            {"masks/left.txt", {}, "the mask", {}}});
     }}};

/// One slot, so that one thread at a time comes here.
TaskResult paint(const Task& task, TaskContext& context) {
  static std::string loaded;
  const std::string model = task.model.empty() ? "sdxl" : task.model;
  const auto begin = Clock::now();
  if (model != loaded) {
    context.progress(0, "loading " + model);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a real one reads gigabytes
    loaded = model;
  }
  const auto load = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  TaskResult result = kModels.at(model)(task);
  result.load_ms = static_cast<std::uint64_t>(load.count());
  result.loaded_models = {{loaded}};
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  NodeConfig config;
  config.broker_endpoint = argv[1];
  config.node_id = argv[2];
  for (const auto& [model, paint] : kModels) config.models.push_back(model);
  Node node(config, paint);
  const RunEnd end = node.run();
  std::printf("%s\n", end.text.c_str());
  return end.kind == RunEnd::Kind::kLeft ? 0 : 1;
}
