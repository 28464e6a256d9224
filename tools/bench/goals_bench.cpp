#include "tools/bench/goals_bench.h"

#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "tools/bench/disk_probe.h"
#include "tools/bench/goal.h"
#include "tools/bench/median.h"
#include "tools/bench/scale_goals.h"
#include "tools/bench/trip.h"

namespace genai::bench {
namespace {

constexpr std::size_t kWindow = 1000, kBatch = 32;
constexpr int kProbes = 100;  // before and after each durable row
// Below it the disk bounds what is durable, however well it is used.
constexpr double kMinSyncsPerS = 4000;

struct Plan {
  int repeats;
  std::uint64_t tasks, tasks_alone;  // of a row at kWindow, and at a window of 1
  ScalePlan scale;
};
const Plan kFull{5, 300'000, 20'000, {5, 300'000, 10'000, 1'000'000, 10'000, 2000, {}}};
const Plan kQuick{1, 20'000, 2000, {1, 20'000, 100, 20'000, 10'000, 100, {}}};

/// A figure for each repeat.
struct Samples {
  std::vector<double> batched, single, p50, p99;  // in memory, over the reference's
  std::vector<double> durable, durable_per_s, syncs_per_s;
};

class Repeats {
 public:
  Repeats(const GoalOptions& options, const Interrupt& interrupt)
      : plan_(options.quick ? kQuick : kFull),
        interrupt_(interrupt),
        data_dir_(options.data_dir),
        folder_(options.data_dir) {}

  int count() const { return plan_.repeats; }
  ScalePlan scale() const {
    ScalePlan scale = plan_.scale;
    scale.data_dir = data_dir_;
    return scale;
  }
  Samples measure() {
    for (int i = 0; i < plan_.repeats; ++i) {
      samples_.batched.push_back(rate(pair("memory", kWindow, kBatch)));
      samples_.single.push_back(rate(pair("memory", kWindow, 1)));
      measure_alone();
      measure_durable();
    }
    return std::move(samples_);
  }

 private:
  /// Side by side, so that the other work of the machine meets both.
  struct Pair {
    TripRow raw, ours;
  };
  Pair pair(const std::string& store, std::size_t window, std::size_t batch) {
    Trip trip;
    trip.store = store;
    trip.data_dir = data_dir_;
    trip.window = window;
    trip.tasks = window == 1 ? plan_.tasks_alone : plan_.tasks;
    trip.batch = 1;
    TripRow raw = measure_raw(trip, interrupt_);
    trip.batch = batch;
    return {std::move(raw), measure_trip(trip, interrupt_)};
  }
  static double rate(const Pair& pair) { return pair.ours.tasks_per_s() / pair.raw.tasks_per_s(); }

  void measure_alone() {
    Pair alone = pair("memory", 1, 1);
    const auto ratio = [&](double share) {
      return alone.ours.load.result.quantile(share) / alone.raw.load.result.quantile(share);
    };
    samples_.p50.push_back(ratio(0.5));
    samples_.p99.push_back(ratio(0.99));
  }
  void measure_durable() {
    Latencies disk = probe_disk(folder_.path(), kProbes);
    const Pair durable = pair("sqlite", kWindow, kBatch);
    disk.add(probe_disk(folder_.path(), kProbes));
    samples_.durable.push_back(rate(durable));
    samples_.durable_per_s.push_back(durable.ours.tasks_per_s());
    samples_.syncs_per_s.push_back(1e6 / disk.mean());
  }

  const Plan plan_;
  const Interrupt& interrupt_;
  const std::string data_dir_;
  const Folder folder_;
  Samples samples_;
};

std::vector<Goal> goals_of(const Samples& samples) {
  using enum Goal::Side;
  const double syncs = median(samples.syncs_per_s);
  const std::string slow_disk =
      syncs < kMinSyncsPerS ? fmt::format("the disk syncs {:.0f} times a second", syncs) : "";
  return {{"memory, 32 in a SUBMIT: tasks/s, x raw", kAtLeast, 1, 2, median(samples.batched)},
          {"memory, 1 in a SUBMIT: tasks/s, x raw", kAtLeast, 0.6, 2, median(samples.single)},
          {"memory, a task alone: p50, x raw", kAtMost, 1.3, 2, median(samples.p50)},
          {"memory, a task alone: p99, x raw", kAtMost, 1.5, 2, median(samples.p99)},
          {"sqlite, 32 in a SUBMIT: tasks/s, x raw", kAtLeast, 0.25, 2, median(samples.durable)},
          {"sqlite, 32 in a SUBMIT: tasks/s", kAtLeast, 60'000, 0, median(samples.durable_per_s),
           slow_disk}};
}

}  // namespace

bool run_goals(const GoalOptions& options, const Interrupt& interrupt) {
  Repeats repeats(options, interrupt);
  const Samples samples = repeats.measure();
  std::vector<Goal> goals = goals_of(samples);
  for (Goal& goal : scale_goals(repeats.scale(), interrupt)) goals.push_back(std::move(goal));
  if (options.json) {
    nlohmann::ordered_json report{{"repeats", repeats.count()},
                                  {"syncs_per_s", median(samples.syncs_per_s)},
                                  {"met", all_met(goals)},
                                  {"goals", nlohmann::json::array()}};
    for (const Goal& goal : goals) report["goals"].push_back(to_json(goal));
    std::cout << report.dump() << '\n';
    return all_met(goals);
  }
  std::cout << fmt::format(
      "Median of {}; raw: unbatched, just before; {} tasks open but where it says other.\n\n",
      repeats.count(), kWindow);
  const Table table = goal_table();
  std::cout << table.head();
  for (const Goal& goal : goals) std::cout << to_line(table, goal);
  return all_met(goals);
}

}  // namespace genai::bench
