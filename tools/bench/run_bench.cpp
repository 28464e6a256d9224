#include "tools/bench/run_bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "tools/bench/children.h"
#include "tools/bench/disk_probe.h"
#include "tools/bench/echo_fleet.h"
#include "tools/bench/load_client.h"

namespace genai::bench {
namespace {

struct Row {
  std::string store;
  std::size_t window = 0;
  LoadReport load;
  double tasks_per_commit = 0;                            // 0: nothing is committed
  double broker_us = 0, dispatcher_us = 0, bench_us = 0;  // CPU per task
  double rss_mib = 0;                                     // of the dispatcher, at the end

  double tasks_per_s() const { return static_cast<double>(load.tasks) / load.seconds; }
};

Row measure(const RunOptions& options, const std::string& store, std::size_t window) {
  const Folder folder(options.data_dir);
  const auto endpoint = [&](const char* name) { return "ipc://" + folder.path() + "/" + name; };
  const Child broker("genai-broker",
                     {"--nodes-endpoint", endpoint("nodes"), "--link-endpoint", endpoint("link")},
                     folder.path() + "/broker.log");
  const Child dispatcher("genai-dispatcher",
                         {"--clients-endpoint", endpoint("clients"), "--broker", endpoint("link"),
                          "--store", store, "--data-dir", folder.path() + "/data"},
                         folder.path() + "/dispatcher.log");
  const EchoFleet fleet({endpoint("nodes"), options.workers, options.slots, options.result_bytes});
  transport::Context context;
  LoadClient client(context, {endpoint("clients"), window, options.batch, options.payload_bytes,
                              options.tasks, options.seconds});
  client.wait_online(options.workers);

  const ValueMap before = client.stats();
  const Usage b0 = broker.usage(), d0 = dispatcher.usage(), own0 = usage_of(getpid());
  Row row{store, window, client.run()};
  const Usage b1 = broker.usage(), d1 = dispatcher.usage(), own1 = usage_of(getpid());
  const ValueMap after = client.stats();

  const double tasks = static_cast<double>(row.load.tasks);
  const auto commits = get_uint(after, "commits_total") - get_uint(before, "commits_total");
  if (commits > 0) row.tasks_per_commit = tasks / static_cast<double>(commits);
  row.broker_us = (b1.cpu_us - b0.cpu_us) / tasks;
  row.dispatcher_us = (d1.cpu_us - d0.cpu_us) / tasks;
  row.bench_us = (own1.cpu_us - own0.cpu_us) / tasks;
  row.rss_mib = d1.rss_mib;
  return row;
}

void print_head(Latencies& disk) {
  std::cout << fmt::format(
      "fdatasync of 4 KiB: p50 {:.0f} us, p99 {:.0f} us; times in us, CPU in us per task\n\n"
      "| store | window | tasks/s | accepted p50 | p99 | result p50 | p99 | p99.9 | tasks/commit |"
      " CPU broker | dispatcher | clients and nodes | dispatcher MiB |\n"
      "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: "
      "|\n",
      disk.quantile(0.5), disk.quantile(0.99));
}

void print(Row& row) {
  Latencies &accepted = row.load.accepted, &result = row.load.result;
  std::cout << fmt::format(
                   "| {} | {} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {} | {:.1f} |"
                   " {:.1f} | {:.1f} | {:.0f} |",
                   row.store, row.window, row.tasks_per_s(), accepted.quantile(0.5),
                   accepted.quantile(0.99), result.quantile(0.5), result.quantile(0.99),
                   result.quantile(0.999),
                   row.tasks_per_commit > 0 ? fmt::format("{:.1f}", row.tasks_per_commit) : "-",
                   row.broker_us, row.dispatcher_us, row.bench_us, row.rss_mib)
            << std::endl;
}

nlohmann::ordered_json to_json(Row& row) {
  return {{"store", row.store},
          {"window", row.window},
          {"tasks", row.load.tasks},
          {"seconds", row.load.seconds},
          {"tasks_per_s", row.tasks_per_s()},
          {"accepted", row.load.accepted.size()},
          {"accepted_p50_us", row.load.accepted.quantile(0.5)},
          {"accepted_p99_us", row.load.accepted.quantile(0.99)},
          {"result_p50_us", row.load.result.quantile(0.5)},
          {"result_p99_us", row.load.result.quantile(0.99)},
          {"result_p999_us", row.load.result.quantile(0.999)},
          {"tasks_per_commit", row.tasks_per_commit},
          {"broker_cpu_us", row.broker_us},
          {"dispatcher_cpu_us", row.dispatcher_us},
          {"bench_cpu_us", row.bench_us},
          {"dispatcher_rss_mib", row.rss_mib}};
}

}  // namespace

int run_tasks(const RunOptions& options) {
  const Folder folder(options.data_dir);
  Latencies disk = probe_disk(folder.path());
  if (!options.json) print_head(disk);
  nlohmann::ordered_json report{{"fdatasync_p50_us", disk.quantile(0.5)},
                                {"rows", nlohmann::json::array()}};
  std::map<std::string, double> single;  // p50 of ACCEPTED at window 1, by store
  for (const std::string& store : options.stores) {
    for (const std::size_t window : options.windows) {
      Row row = measure(options, store, window);
      if (window == 1) single[store] = row.load.accepted.quantile(0.5);
      if (options.json)
        report["rows"].push_back(to_json(row));
      else
        print(row);
    }
  }
  if (single.contains("memory") && single.contains("sqlite")) {
    // What one task alone waits for: the disk, and the way there and back.
    const double ratio = single["sqlite"] / (disk.quantile(0.5) + single["memory"]);
    report["window_1_ratio"] = ratio;
    if (!options.json)
      std::cout << fmt::format("\ndurable accept at window 1 / (fdatasync + in memory): {:.2f}\n",
                               ratio);
  }
  if (options.json) std::cout << report.dump() << std::endl;
  return 0;
}

}  // namespace genai::bench
