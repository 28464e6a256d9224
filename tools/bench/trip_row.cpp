#include "tools/bench/trip_row.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace genai::bench {

double TripRow::tasks_per_s() const { return static_cast<double>(load.tasks) / load.seconds; }

double TripRow::reached_per_s() const {
  // The last task has its share of time too, which the row does not wait out.
  if (std::isnan(wanted_per_s)) return wanted_per_s;
  return std::min(wanted_per_s, tasks_per_s());
}

double TripRow::submits_per_s() const {
  return static_cast<double>(load.accepted.size()) / load.accepted_seconds;  // NaN of the reference
}

double TripRow::tasks_per_commit() const {
  if (commits == 0) return std::nan("");
  return static_cast<double>(committed_tasks) / static_cast<double>(commits);
}

double TripRow::commits_per_s() const {
  if (commits == 0) return std::nan("");
  return static_cast<double>(commits) / load.seconds;
}

namespace {

std::vector<std::string> headings(TripColumns columns) {
  std::vector<std::string> names{"store ",         "window",       "batch",         "tasks/s",
                                 "x raw",          "accepted p50", "  p99",         "  p99.9",
                                 "result p50",     "   p99",       "  p99.9",       "p95 held",
                                 "commits/s",      "tasks/commit", "CPU broker",    "dispatcher",
                                 "clients, nodes", "broker MiB",   "dispatcher MiB"};
  if (columns.rate) names.insert(names.end(), {"wanted/s", "reached/s"});
  if (columns.depth)
    names.insert(names.end(), {"  queued", "queued/s", "submits/s", "bytes/queued"});
  return names;
}

}  // namespace

TripTable::TripTable(TripColumns columns) : columns_(columns), table_(headings(columns)) {}

std::string TripTable::line(TripRow& row) const {
  Latencies &accepted = row.load.accepted, &result = row.load.result;
  const auto time = [](Latencies& of, double share) {
    return cell(of.size() == 0 ? std::nan("") : of.quantile(share), 0);
  };
  std::vector<std::string> cells{row.store,
                                 row.window == 0 ? "-" : std::to_string(row.window),
                                 std::to_string(row.batch),
                                 cell(row.tasks_per_s(), 0),
                                 cell(row.against_raw, 2),
                                 time(accepted, 0.5),
                                 time(accepted, 0.99),
                                 time(accepted, 0.999),
                                 time(result, 0.5),
                                 time(result, 0.99),
                                 time(result, 0.999),
                                 cell(row.load.calibration.p95_held(), 3),
                                 cell(row.commits_per_s(), 0),
                                 cell(row.tasks_per_commit(), 1),
                                 cell(row.broker_us, 1),
                                 cell(row.dispatcher_us, 1),
                                 cell(row.bench_us, 1),
                                 cell(row.broker_rss_mib, 0),
                                 cell(row.dispatcher_rss_mib, 0)};
  if (columns_.rate)
    cells.insert(cells.end(), {cell(row.wanted_per_s, 0), cell(row.reached_per_s(), 0)});
  if (columns_.depth)
    cells.insert(cells.end(), {std::to_string(row.depth), cell(row.queued_per_s, 0),
                               cell(row.submits_per_s(), 0), cell(row.bytes_per_queued, 0)});
  return table_.row(cells);
}

nlohmann::ordered_json to_json(TripRow& row) {
  return {
      {"store", row.store},
      {"window", row.window == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(row.window)},
      {"batch", row.batch},
      {"tasks", row.load.tasks},
      {"seconds", row.load.seconds},
      {"tasks_per_s", row.tasks_per_s()},
      {"wanted_per_s", row.wanted_per_s},
      {"reached_per_s", row.reached_per_s()},
      {"against_raw", row.against_raw},
      {"submits_per_s", row.submits_per_s()},
      {"queued", row.depth},
      {"queued_per_s", row.queued_per_s},
      {"bytes_per_queued", row.bytes_per_queued},
      {"accepted", row.load.accepted.size()},
      {"executed", row.executed},
      {"accepted_p50_us", row.load.accepted.quantile(0.5)},
      {"accepted_p99_us", row.load.accepted.quantile(0.99)},
      {"accepted_p999_us", row.load.accepted.quantile(0.999)},
      {"result_p50_us", row.load.result.quantile(0.5)},
      {"result_p99_us", row.load.result.quantile(0.99)},
      {"result_p999_us", row.load.result.quantile(0.999)},
      {"p95_held", row.load.calibration.p95_held()},
      {"commits", row.commits},
      {"committed_tasks", row.committed_tasks},
      {"commits_per_s", row.commits_per_s()},
      {"tasks_per_commit", row.tasks_per_commit()},
      {"broker_cpu_us", row.broker_us},
      {"dispatcher_cpu_us", row.dispatcher_us},
      {"bench_cpu_us", row.bench_us},
      {"broker_rss_mib", row.broker_rss_mib},
      {"dispatcher_rss_mib", row.dispatcher_rss_mib}};
}

}  // namespace genai::bench
