// A whole dispatcher with nodes that take, run and end tasks as long as the test says.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/dispatcher/world.h"

namespace genai::dispatcher::test {

/// Nodes that take, run and end tasks as long as the test says.
struct PolicyFleet : World {
  using World::World;

  /// Answers all assignments; what was assigned is in `running`.
  void take_all() {
    for (auto& [node, ref] : take_assigned()) {
      ack(node, ref);
      running.emplace_back(node, ref);
    }
  }
  /// The first task of the node ends now.
  void end(unsigned node, std::uint64_t load_ms = 0) {
    const auto it = std::ranges::find(running, node, &std::pair<unsigned, AssignmentRef>::first);
    REQUIRE(it != running.end());
    const AssignmentRef ref = it->second;
    running.erase(it);
    ValueMap info;
    if (load_ms != 0) info["load_ms"] = load_ms;
    from_node(node, msg::Result{{{ref, msg::Outcome::kOk, info, Blob("picture")}}});
  }
  /// Teaches the dispatcher how long a task of that kind takes at the node: nothing else may wait.
  void teach(unsigned node, std::uint64_t ms, int times = 3, TaskSpec spec = {},
             std::uint64_t load_ms = 0) {
    for (const auto& [id, provider] : core.providers().sessions())
      others(node, provider->node_id.str(), true);
    for (int i = 0; i < times; ++i) {
      submit("teach-" + std::to_string(++taught), spec);
      take_all();
      REQUIRE(running.size() == 1);
      REQUIRE(running[0].first == node);
      run_for(ms + load_ms);
      end(node, load_ms);
    }
    for (const auto& [id, provider] : core.providers().sessions())
      others(node, provider->node_id.str(), false);
  }
  std::vector<std::string> on(unsigned node) {
    std::vector<std::string> ids;
    for (const auto& [at, ref] : running)
      if (at == node) ids.push_back(ref.task_id.str());
    return ids;
  }
  void load(unsigned node, std::vector<std::string> models) {
    change(msg::Delta::Beat{session(node), held_by(node), std::move(models)});
  }

  std::vector<std::pair<unsigned, AssignmentRef>> running;
  int taught = 0;

 private:
  void others(unsigned node, const std::string& id, bool on) {
    if (id == "node-" + std::to_string(node)) return;
    from_client(msg::Drain{3, id, on});
  }
  std::vector<AssignmentRef> held_by(unsigned node) {
    std::vector<AssignmentRef> refs;
    for (const auto& [at, ref] : running)
      if (at == node) refs.push_back(ref);
    return refs;
  }
};

inline TaskSpec with(auto change) {
  TaskSpec spec;
  change(spec);
  return spec;
}

inline msg::ProviderEntry with_models(unsigned number, std::vector<std::string> loaded) {
  msg::ProviderEntry entry = World::entry(number);
  entry.meta.models = {"a", "b"};
  entry.meta.loaded_models = std::move(loaded);
  return entry;
}
inline TaskSpec of_model(const std::string& model) {
  return with([&](TaskSpec& s) { s.needs.model = model; });
}

}  // namespace genai::dispatcher::test
