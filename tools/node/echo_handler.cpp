#include "tools/node/echo_handler.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <random>

#include "tools/node/faults.h"

namespace genai::node {
namespace {

constexpr int kProgressSteps = 10;
constexpr std::chrono::milliseconds kMinStep{50};

enum class Fate { kEcho, kFail, kDrop };

/// Thread-safe: the n-th draw is the same for the same seed.
class Fates {
 public:
  explicit Fates(const EchoOptions& options) : options_(options), random_(options.seed) {}

  Fate draw() {
    const std::lock_guard lock(mutex_);
    const double roll = std::uniform_real_distribution<>(0, 1)(random_);
    if (roll < options_.drop_ratio) return Fate::kDrop;
    return roll < options_.drop_ratio + options_.fail_ratio ? Fate::kFail : Fate::kEcho;
  }

 private:
  const EchoOptions options_;
  std::mutex mutex_;
  std::mt19937_64 random_;
};

/// False when aborted.
bool wait(std::chrono::milliseconds delay, TaskContext& context) {
  const auto step = std::max(kMinStep, delay / kProgressSteps);
  for (std::chrono::milliseconds done{0}; done < delay; done += step) {
    if (context.wait_aborted(std::min(step, delay - done))) return false;
    context.progress(
        static_cast<double>((done + step).count()) / static_cast<double>(delay.count()), "echo");
  }
  return !context.aborted();
}

}  // namespace

Handler echo_handler(const EchoOptions& options) {
  auto fates = std::make_shared<Fates>(options);
  return [fates, delay = options.delay](const Task& task, TaskContext& context) {
    const Fate fate = fates->draw();
    if (fate == Fate::kDrop) return dropped();
    if (!wait(delay, context)) return TaskResult::error("aborted");
    if (fate == Fate::kFail) return TaskResult::error("echo: told to fail");
    return TaskResult::ok(task.payload.str());
  };
}

}  // namespace genai::node
