#include "tools/bench/scale_goals.h"

#include <fmt/format.h>

#include "tools/bench/loss_bench.h"
#include "tools/bench/median.h"
#include "tools/bench/trip.h"

namespace genai::bench {
namespace {

using enum Goal::Side;

constexpr unsigned kFewNodes = 10;
constexpr std::size_t kLostNodes = 10;
constexpr std::size_t kWindow = 1000, kBatch = 32;
constexpr std::size_t kLargeBytes = 1u << 20, kLargeWindow = 16;
constexpr double kWithin = 1.2;  // of what it is without the size

class Scale {
 public:
  Scale(const ScalePlan& plan, const Interrupt& interrupt) : plan_(plan), interrupt_(interrupt) {}

  std::vector<Goal> goals() {
    for (int i = 0; i < plan_.repeats; ++i) {
      measure_nodes();
      measure_queue();
      lost_ms_.push_back(lose_nodes_ms(kLostNodes, plan_.lost));
      measure_large();
    }
    return {{fmt::format("{} nodes: dispatcher CPU a task, x {} nodes", plan_.nodes, kFewNodes),
             kAtMost, kWithin, 2, median(nodes_cpu_)},
            {fmt::format("{} tasks wait: tasks/s, x none", plan_.queued), kAtLeast, 1 / kWithin, 2,
             median(queued_rate_)},
            {fmt::format("{} tasks wait: submits/s, x none", plan_.queued), kAtLeast, 1 / kWithin,
             2, median(queued_submits_)},
            {fmt::format("{} tasks wait: bytes each, beside payload and id", plan_.queued), kAtMost,
             512, 0, median(queued_bytes_)},
            {fmt::format("{} tasks of lost nodes: ms until queued", plan_.lost), kAtMost, 50, 1,
             median(lost_ms_)},
            {"1 MiB there and back: tasks/s, x raw", kAtLeast, 0.5, 2, median(large_rate_)},
            {"1 MiB there and back: nodes thought silent", kAtMost, 0, 0, median(large_silent_)}};
  }

 private:
  Trip trip() const {
    Trip trip;
    trip.data_dir = plan_.data_dir;
    trip.tasks = plan_.tasks;
    trip.seconds = 60;
    trip.window = kWindow;
    trip.batch = kBatch;
    return trip;
  }

  void measure_nodes() {
    Trip few = trip(), many = trip();
    few.workers = kFewNodes;
    many.workers = plan_.nodes;
    const double alone = measure_trip(few, interrupt_).dispatcher_us;
    nodes_cpu_.push_back(measure_trip(many, interrupt_).dispatcher_us / alone);
  }
  void measure_queue() {
    Trip deep = trip();
    deep.depth = plan_.queued;
    const TripRow none = measure_trip(trip(), interrupt_), row = measure_trip(deep, interrupt_);
    queued_rate_.push_back(row.tasks_per_s() / none.tasks_per_s());
    queued_submits_.push_back(row.submits_per_s() / none.submits_per_s());
    queued_bytes_.push_back(row.bytes_per_queued);
  }
  void measure_large() {
    Trip large = trip();
    large.tasks = plan_.large;
    large.window = kLargeWindow;
    large.batch = 1;
    large.payload_bytes = large.result_bytes = kLargeBytes;
    // For all nodes the same: one alone may not send so much in a second.
    large.slots = kLargeWindow / large.workers;
    const double raw = measure_raw(large, interrupt_).tasks_per_s();
    const TripRow row = measure_trip(large, interrupt_);
    large_rate_.push_back(row.tasks_per_s() / raw);
    large_silent_.push_back(static_cast<double>(row.silent));
  }

  const ScalePlan& plan_;
  const Interrupt& interrupt_;
  std::vector<double> nodes_cpu_, queued_rate_, queued_submits_, queued_bytes_, lost_ms_,
      large_rate_, large_silent_;
};

}  // namespace

std::vector<Goal> scale_goals(const ScalePlan& plan, const Interrupt& interrupt) {
  return Scale(plan, interrupt).goals();
}

}  // namespace genai::bench
