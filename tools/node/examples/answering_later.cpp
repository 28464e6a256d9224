// A node in front of an engine that works on many tasks in one thread, and answers when it likes,
// such as an inference server with a WebSocket. No thread waits for a task.
//
//   answering_later BROKER NODE_ID
#include <genai/node.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

using namespace genai::node;

namespace {

/// Takes a step on each of its jobs every 10 ms. A job has as many steps as its payload has
/// letters.
class Engine {
 public:
  void add(const Task& task, Reply reply) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({task.payload, 0, std::move(reply)});
    changed_.notify_all();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stops_ = true;
    changed_.notify_all();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stops_) {
      changed_.wait_for(lock, std::chrono::milliseconds(10));
      std::erase_if(jobs_, [](Job& job) { return step(job); });
    }
  }

 private:
  struct Job {
    genai::Data payload;
    std::size_t steps_done;
    Reply reply;
  };

  /// True when the job has ended.
  static bool step(Job& job) {
    if (job.reply.context().aborted()) {
      job.reply.finish(TaskResult::error("aborted"));
      return true;
    }
    const std::size_t steps = job.payload.size();
    if (++job.steps_done < steps) {
      job.reply.context().progress(double(job.steps_done) / double(steps), "step by step");
      return false;
    }
    const std::string text = job.payload.str();
    job.reply.finish(TaskResult::ok({text.rbegin(), text.rend()}, "text/plain"));
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> jobs_;
  bool stops_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  NodeConfig config;
  config.broker_endpoint = argv[1];
  config.node_id = argv[2];
  config.slots = 100;
  Engine engine;
  std::thread working([&] { engine.run(); });
  Node node(config, AsyncHandler{[&](const Task& task, Reply reply) {
              engine.add(task, std::move(reply));
            }});
  const RunEnd end = node.run();
  engine.stop();
  working.join();
  std::printf("%s\n", end.text.c_str());
  return end.kind == RunEnd::Kind::kLeft ? 0 : 1;
}
