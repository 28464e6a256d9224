#include "tools/bench/placement_scenarios.h"

#include <algorithm>
#include <array>

#include "tools/bench/latencies.h"
#include "tools/bench/virtual_fleet.h"

namespace genai::bench {
namespace {

using dispatcher::Config;

constexpr double kNoise = 0.1;  // sigma of the logarithm of a task's work

double seconds(Duration d) { return static_cast<double>(d.count()) / 1e6; }
Duration from_seconds(double s) { return Duration(std::llround(s * 1e6)); }

// ---- tasks

VirtualTask draw_task(Draw& draw, double work_s) {
  return {from_seconds(work_s * draw.lognormal(kNoise))};
}

std::vector<VirtualTask> draw_tasks(Draw& draw, std::size_t count, double work_s,
                                    const std::string& tenant = {}) {
  std::vector<VirtualTask> tasks;
  for (std::size_t i = 0; i < count; ++i) {
    tasks.push_back(draw_task(draw, work_s));
    tasks.back().tenant = tenant;
  }
  return tasks;
}

double sum_of_work_s(const std::vector<VirtualTask>& tasks) {
  double sum = 0;
  for (const VirtualTask& task : tasks) sum += seconds(task.work);
  return sum;
}

/// One by one, at random: `rate` a second on the average.
void submit_poisson(VirtualFleet& fleet, Draw& draw, std::vector<VirtualTask> tasks, double rate) {
  double at_s = 0;
  for (VirtualTask& task : tasks) {
    at_s += draw.exponential(1 / rate);
    fleet.submit({std::move(task)}, from_seconds(at_s));
  }
}

// ---- figures

using Measure = Duration (VirtualTrip::*)() const;

double quantile_s(const VirtualFleet& fleet, Measure measure, double share) {
  Latencies values;
  for (const VirtualTrip& trip : fleet.trips()) values.add(seconds((trip.*measure)()));
  return values.quantile(share);
}

double makespan_s(const VirtualFleet& fleet) {
  Duration end{0};
  for (const VirtualTrip& trip : fleet.trips()) end = std::max(end, trip.ended_at);
  return seconds(end);
}

void count(Trial& trial, const VirtualFleet& fleet) {
  for (const VirtualTrip& trip : fleet.trips()) {
    ++trial.submitted;
    trial.completed += trip.status == TaskStatus::kCompleted;
    trial.failed += trip.status == TaskStatus::kFailed;
  }
}

// ---- scenarios

Trial different_speeds(const Config& config, std::uint64_t seed) {
  constexpr std::array<double, 4> kSpeeds{1, 1, 4, 10};
  Draw draw(seed);
  VirtualFleet fleet(config, seed);
  double speed_sum = 0;
  for (const double speed : kSpeeds) {
    fleet.join({.speed = speed});
    speed_sum += speed;
  }
  const auto tasks = draw_tasks(draw, 500, 10);
  fleet.submit(tasks);
  fleet.run();
  Trial trial{{{"makespan s", makespan_s(fleet), 1},
               {"lower bound s", sum_of_work_s(tasks) / speed_sum, 1}}};
  count(trial, fleet);
  return trial;
}

constexpr std::array<const char*, 3> kModels{"sd15", "sdxl", "flux"};

/// `hot_share` of the tasks ask for the first model, the rest for the others alike.
Trial model_loads(const Config& config, std::uint64_t seed, double hot_share) {
  constexpr std::size_t kNodes = 6;
  constexpr double kWorkS = 1, kLoadS = 20 * kWorkS, kRate = 0.6 * kNodes / kWorkS;
  Draw draw(seed);
  VirtualFleet fleet(config, seed);
  for (std::size_t i = 0; i < kNodes; ++i) {
    NodeTraits node{.loaded = {kModels[i % kModels.size()]}};
    for (const char* model : kModels) node.models[model] = from_seconds(kLoadS);
    fleet.join(std::move(node));
  }
  auto tasks = draw_tasks(draw, 3000, kWorkS);
  for (VirtualTask& task : tasks)
    task.model =
        draw.uniform() < hot_share ? kModels[0] : kModels[1 + draw.below(kModels.size() - 1)];
  submit_poisson(fleet, draw, std::move(tasks), kRate);
  fleet.run();
  Trial trial{{{"loads", static_cast<double>(fleet.loads()), 0},
               {"p95 wait s", quantile_s(fleet, &VirtualTrip::waited, 0.95), 2},
               {"makespan s", makespan_s(fleet), 1}}};
  count(trial, fleet);
  return trial;
}

Trial even_models(const Config& config, std::uint64_t seed) {
  return model_loads(config, seed, 1.0 / kModels.size());
}

Trial hot_model(const Config& config, std::uint64_t seed) { return model_loads(config, seed, 0.9); }

void add_failing_node(Trial& trial, const std::string& arrival, const VirtualFleet& fleet) {
  Trial one;
  count(one, fleet);
  const auto failed = static_cast<double>(one.failed);
  trial.figures.insert(
      trial.figures.end(),
      {{arrival + ": error results", static_cast<double>(fleet.errors()), 0},
       {arrival + ": tasks Failed", failed, 0},
       {arrival + ": makespan s", makespan_s(fleet), 1},
       {arrival + ": p95 in system s", quantile_s(fleet, &VirtualTrip::in_system, 0.95), 1}});
  count(trial, fleet);
}

Trial failing_node(const Config& config, std::uint64_t seed) {
  constexpr std::size_t kNodes = 4, kTasks = 500;
  constexpr double kWorkS = 10, kRate = 0.6 * kNodes / kWorkS;
  Draw draw(seed);
  Trial trial;
  for (const bool poisson : {false, true}) {
    VirtualFleet fleet(config, seed);
    for (std::size_t i = 0; i < kNodes; ++i) fleet.join({.failure_ratio = i == 0 ? 0.5 : 0});
    auto tasks = draw_tasks(draw, kTasks, kWorkS);
    if (poisson)
      submit_poisson(fleet, draw, std::move(tasks), kRate);
    else
      fleet.submit(std::move(tasks));
    fleet.run();
    add_failing_node(trial, poisson ? "Poisson" : "at once", fleet);
  }
  return trial;
}

Trial two_tenants(const Config& config, std::uint64_t seed) {
  Draw draw(seed);
  VirtualFleet fleet(config, seed);
  for (int i = 0; i < 8; ++i) fleet.join({});
  fleet.submit(draw_tasks(draw, 10'000, 1, "big"));
  fleet.submit(draw_tasks(draw, 10, 1, "small"));
  fleet.run();
  Latencies small;
  Duration big_end{0};
  for (const VirtualTrip& trip : fleet.trips()) {
    if (trip.tenant == "small")
      small.add(seconds(trip.in_system()));
    else
      big_end = std::max(big_end, trip.ended_at);
  }
  Trial trial{{{"small: p50 in system s", small.quantile(0.5), 1},
               {"small: max in system s", small.quantile(1), 1},
               {"big: ends after s", seconds(big_end), 1}}};
  count(trial, fleet);
  return trial;
}

/// Over backlogs of several lengths: how the last tasks fit the nodes is luck.
Trial late_slow_node(const Config& config, std::uint64_t seed) {
  constexpr std::uint32_t kShortest = 36, kLongest = 45;
  double sum_s = 0, worst_s = 0;
  Latencies in_system;
  Trial trial;
  for (std::uint32_t backlog = kShortest; backlog <= kLongest; ++backlog) {
    Draw draw(seed, backlog);
    VirtualFleet fleet(config, seed);
    fleet.join({.speed = 10});
    fleet.join({.speed = 1}, from_seconds(5));
    fleet.submit(draw_tasks(draw, backlog, 10));
    fleet.run();
    sum_s += makespan_s(fleet);
    worst_s = std::max(worst_s, makespan_s(fleet));
    for (const VirtualTrip& trip : fleet.trips()) in_system.add(seconds(trip.in_system()));
    count(trial, fleet);
  }
  trial.figures = {{"mean makespan s", sum_s / (kLongest - kShortest + 1), 1},
                   {"worst makespan s", worst_s, 1},
                   {"p95 in system s", in_system.quantile(0.95), 1}};
  return trial;
}

constexpr std::array<Scenario, 6> kScenarios{{
    {"a", "4 nodes at speeds 1, 1, 4, 10; 500 tasks of 10 s at once", different_speeds},
    {"b",
     "6 nodes with 3 models on disk and 1 in memory; load 20 s, run 1 s; 3,000 tasks, Poisson at "
     "60 %",
     even_models},
    {"b2", "as b, but 90 % of the tasks ask for one model, which 2 nodes have in memory",
     hot_model},
    {"c",
     "4 equal nodes, one fails half of its tasks; 500 tasks of 10 s at once, 500 Poisson at 60 %",
     failing_node},
    {"d", "8 equal nodes; 10,000 tasks of 1 s of one tenant, then 10 of another", two_tenants},
    {"e", "36 to 45 tasks of 10 s at a node of speed 10; one of speed 1 joins after 5 s",
     late_slow_node},
}};

}  // namespace

std::span<const Scenario> placement_scenarios() { return kScenarios; }

}  // namespace genai::bench
