// Prints the nodes, the tasks, and the history of each task that has failed.
//
//   what_is_going_on ENDPOINT
#include <genai/client.h>

#include <cstdio>

using namespace genai::client;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    Client client({.endpoint = argv[1]});
    for (const NodeInfo& node : client.nodes())
      std::printf("node %s is %s, %llu of %u slots are busy\n", node.node_id.c_str(),
                  node.state.c_str(), static_cast<unsigned long long>(node.in_flight), node.slots);

    std::vector<std::string> failed;
    for (const TaskInfo& task : client.list()) {
      std::printf("task %s is %s\n", task.id.c_str(), name(task.status));
      if (task.status == Status::kFailed) failed.push_back(task.id);
    }
    for (const TaskInfo& task : client.status(failed)) {
      std::printf("task %s: %s: %s\n", task.id.c_str(), task.code.c_str(), task.error.c_str());
      for (const TaskInfo::LogEntry& entry : task.log)
        std::printf("  %s, %s\n", entry.status.c_str(), entry.reason.c_str());
    }
    return 0;
  } catch (const ClientError& error) {
    std::fprintf(stderr, "%s: %s\n", name(error.code()), error.what());
    return 1;
  }
}
