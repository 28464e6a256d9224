// The smallest node: a handler that returns the result. SIGINT and SIGTERM let it finish and leave.
//
//   upper_case BROKER NODE_ID
#include <genai/node.h>
#include <signal.h>

#include <cctype>
#include <cstdio>
#include <thread>

using namespace genai::node;

namespace {

TaskResult upper_case(const Task& task, TaskContext& context) {
  std::string text;
  for (const char c : task.payload.view()) {
    if (context.aborted()) return TaskResult::error("aborted");
    text += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  context.progress(1, "all letters are done");
  return TaskResult::ok(std::move(text), "text/plain");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  // The signals are blocked before the node has threads, which inherit that, and read by one
  // thread.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  NodeConfig config;
  config.broker_endpoint = argv[1];
  config.node_id = argv[2];
  config.slots = 2;
  Node node(config, upper_case);
  std::thread([&] {
    int signal = 0;
    sigwait(&signals, &signal);
    node.leave("told to stop");
  }).detach();
  const RunEnd end = node.run();
  std::printf("%s\n", end.text.c_str());
  std::fflush(stdout);
  std::_Exit(end.kind == RunEnd::Kind::kLeft ? 0 : 1);  // the thread above may still wait
}
