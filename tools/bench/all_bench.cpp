#include "tools/bench/all_bench.h"

#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "tools/bench/disk_probe.h"
#include "tools/bench/median.h"
#include "tools/bench/trip.h"
#include "tools/bench/trip_figures.h"

namespace genai::bench {
namespace {

constexpr int kProbes = 200;  // in each repeat

/// What is measured, and what each repeat found.
struct Line {
  std::string store;  // or "raw"
  std::size_t window, batch;
  std::vector<TripFigures> repeats = {};
};

/// The unbatched reference stands before all that is read against it. A task alone is its own
/// batch.
std::vector<Line> lines() {
  return {{"raw", 1, 1},        {"memory", 1, 1},    {"sqlite", 1, 1},
          {"raw", 1000, 1},     {"raw", 1000, 32},   {"memory", 1000, 1},
          {"memory", 1000, 32}, {"sqlite", 1000, 1}, {"sqlite", 1000, 32}};
}

TripFigures figures_of(TripRow row, double unbatched_per_s) {
  Latencies& result = row.load.result;
  return {row.tasks_per_s(),      row.tasks_per_s() / unbatched_per_s,
          result.quantile(0.5),   result.quantile(0.99),
          result.quantile(0.999), row.broker_us,
          row.dispatcher_us,      row.broker_rss_mib,
          row.dispatcher_rss_mib};
}

void measure_once(std::vector<Line>& lines, const AllOptions& options, const Interrupt& interrupt) {
  double unbatched_per_s = 0;
  for (Line& line : lines) {
    Trip trip;
    trip.data_dir = options.data_dir;
    trip.tasks = options.tasks;
    trip.seconds = options.seconds;
    trip.window = line.window;
    trip.batch = line.batch;
    trip.store = line.store;
    const bool raw = line.store == "raw";
    TripRow row = raw ? measure_raw(trip, interrupt) : measure_trip(trip, interrupt);
    if (raw && line.batch == 1) unbatched_per_s = row.tasks_per_s();
    line.repeats.push_back(figures_of(std::move(row), unbatched_per_s));
  }
}

nlohmann::ordered_json to_json(const Line& line) {
  const TripFigures figures = median_of(line.repeats);
  return {{"store", line.store},
          {"window", line.window},
          {"batch", line.batch},
          {"tasks_per_s", figures.tasks_per_s},
          {"against_raw", figures.against_raw},
          {"result_p50_us", figures.p50_us},
          {"result_p99_us", figures.p99_us},
          {"result_p999_us", figures.p999_us},
          {"broker_cpu_us", figures.broker_us},
          {"dispatcher_cpu_us", figures.dispatcher_us},
          {"broker_rss_mib", figures.broker_rss_mib},
          {"dispatcher_rss_mib", figures.dispatcher_rss_mib}};
}

std::string to_line(const Table& table, const Line& line) {
  const TripFigures figures = median_of(line.repeats);
  return table.row({line.store, std::to_string(line.window), std::to_string(line.batch),
                    cell(figures.tasks_per_s, 0), cell(figures.against_raw, 2),
                    cell(figures.p50_us, 0), cell(figures.p99_us, 0), cell(figures.p999_us, 0),
                    cell(figures.broker_us, 1), cell(figures.dispatcher_us, 1),
                    cell(figures.broker_rss_mib, 0), cell(figures.dispatcher_rss_mib, 0)});
}

void print(const std::vector<Line>& lines, double syncs_per_s, const AllOptions& options) {
  if (options.json) {
    nlohmann::ordered_json report{{"repeats", options.repeats},
                                  {"syncs_per_s", syncs_per_s},
                                  {"rows", nlohmann::json::array()}};
    for (const Line& line : lines) report["rows"].push_back(to_json(line));
    std::cout << report.dump() << '\n';
    return;
  }
  const Table table({"store ", "open at once", "in a SUBMIT", "tasks/s", "x raw", "p50 us",
                     " p99 us", "p99.9 us", "CPU us broker", "dispatcher", "MiB broker",
                     "dispatcher"});
  std::cout << table.head();
  for (const Line& line : lines) std::cout << to_line(table, line);
  std::cout << fmt::format(
      "\nMedian of {}. Times from SUBMIT to the result; CPU per task; raw: two processes that only "
      "forward.\nThe disk syncs 4 KiB {:.0f} times a second.\n",
      options.repeats, syncs_per_s);
}

}  // namespace

void run_all(const AllOptions& options, const Interrupt& interrupt) {
  const Folder folder(options.data_dir);
  std::vector<Line> all = lines();
  std::vector<double> syncs_per_s;
  for (int i = 0; i < options.repeats; ++i) {
    syncs_per_s.push_back(1e6 / probe_disk(folder.path(), kProbes).mean());
    measure_once(all, options, interrupt);
  }
  print(all, median(syncs_per_s), options);
}

}  // namespace genai::bench
