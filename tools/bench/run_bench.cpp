#include "tools/bench/run_bench.h"

#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "tools/bench/disk_probe.h"

namespace genai::bench {
namespace {

constexpr int kProbes = 100;  // before and after each durable row
const double kNotMeasured = std::nan("");

/// Rows as they are measured: lines of a table at once, or one JSON array at the end.
class Printer {
 public:
  explicit Printer(const RunOptions& options)
      : json_(options.json),
        table_({.depth = options.trip.depth > 0, .rate = options.trip.rate > 0}) {
    if (!json_) std::cout << "Times in us, CPU in us per task.\n\n" << table_.head() << std::flush;
  }
  void print(TripRow& row) {
    rows_.push_back(to_json(row));
    if (!json_) std::cout << table_.line(row) << std::flush;
  }
  nlohmann::ordered_json take() { return std::exchange(rows_, nlohmann::json::array()); }

 private:
  const bool json_;
  const TripTable table_;
  nlohmann::ordered_json rows_ = nlohmann::json::array();
};

/// The unbatched reference, by window, in tasks/s; printed also with batches.
std::map<std::size_t, double> reference(const RunOptions& options, Printer& printer,
                                        const Interrupt& interrupt) {
  std::map<std::size_t, double> unbatched;
  for (const std::size_t window : options.rows()) {
    Trip trip = options.trip;
    trip.window = window;
    trip.batch = 1;
    TripRow row = measure_raw(trip, interrupt);
    unbatched[window] = row.tasks_per_s();
    row.against_raw = 1;
    printer.print(row);
    trip.batch = window > 0 ? std::min(options.trip.batch, window) : options.trip.batch;
    if (trip.batch == 1) continue;
    TripRow batched = measure_raw(trip, interrupt);
    batched.against_raw = batched.tasks_per_s() / unbatched[window];
    printer.print(batched);
  }
  return unbatched;
}

}  // namespace

void run_raw(const RunOptions& options, const Interrupt& interrupt) {
  Printer printer(options);
  reference(options, printer, interrupt);
  if (options.json) std::cout << nlohmann::ordered_json{{"raw", printer.take()}}.dump() << '\n';
}

void run_tasks(const RunOptions& options, const Interrupt& interrupt) {
  const Folder folder(options.trip.data_dir);
  Printer printer(options);
  const auto raw = reference(options, printer, interrupt);
  nlohmann::ordered_json raw_rows = printer.take();
  Latencies disk;
  std::map<std::string, double> single;  // p50 of ACCEPTED at window 1, by store
  const auto stores =
      options.trip.running.dispatcher.empty() ? options.stores : std::vector{std::string()};
  for (const std::string& store : stores) {
    for (const std::size_t window : options.rows()) {
      Trip trip = options.trip;
      trip.store = store;
      trip.window = window;
      // Around each row that it is read against: other work on the machine changes the disk.
      const bool durable = store != "memory";
      if (durable) disk.add(probe_disk(folder.path(), kProbes));
      TripRow row = measure_trip(trip, interrupt);
      if (durable) disk.add(probe_disk(folder.path(), kProbes));
      row.against_raw = row.tasks_per_s() / raw.at(window);
      if (window == 1) single[row.store] = row.load.accepted.quantile(0.5);
      printer.print(row);
    }
  }
  // What a task alone waits for: the disk, and the way there and back.
  const double ratio = single.contains("memory") && single.contains("sqlite") && disk.size() > 0
                           ? single["sqlite"] / (disk.quantile(0.5) + single["memory"])
                           : kNotMeasured;
  const double sync_p50 = disk.size() > 0 ? disk.quantile(0.5) : kNotMeasured;
  const double sync_p99 = disk.size() > 0 ? disk.quantile(0.99) : kNotMeasured;
  if (options.json) {
    const nlohmann::ordered_json report{{"fdatasync_p50_us", sync_p50},
                                        {"fdatasync_p99_us", sync_p99},
                                        {"window_1_ratio", ratio},
                                        {"raw", std::move(raw_rows)},
                                        {"rows", printer.take()}};
    std::cout << report.dump() << '\n';
    return;
  }
  if (disk.size() == 0) return;
  std::cout << fmt::format(
      "\nfdatasync of 4 KiB appended, beside the durable rows: p50 {} us, p99 {} us\n"
      "accepted p50 at window 1, durable / (fdatasync p50 + in memory): {}\n",
      cell(sync_p50, 0), cell(sync_p99, 0), cell(ratio, 2));
}

}  // namespace genai::bench
