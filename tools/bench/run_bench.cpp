#include "tools/bench/run_bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <future>
#include <iostream>
#include <map>
#include <memory>

#include "tools/bench/disk_probe.h"
#include "tools/bench/echo_fleet.h"
#include "tools/bench/trip_row.h"

namespace genai::bench {
namespace {

constexpr int kProbes = 100;  // before and after each durable row
const double kNotMeasured = std::nan("");

/// The whole divided among `parts`, the first ones get what is left over.
std::uint64_t share(std::uint64_t whole, std::size_t parts, std::size_t index) {
  return whole / parts + (index < whole % parts ? 1 : 0);
}

/// Clients that run at once, each on a thread of its own.
class Clients {
 public:
  Clients(const RunOptions& options, const std::string& dispatcher, std::size_t window,
          const std::function<void()>& check) {
    const std::size_t count = std::min<std::size_t>({options.clients, window, options.tasks});
    for (std::size_t i = 0; i < count; ++i)
      clients_.push_back(std::make_unique<LoadClient>(
          context_,
          LoadOptions{dispatcher, share(window, count, i), options.batch, options.payload_bytes,
                      share(options.tasks, count, i), options.seconds},
          check));
    // A connection that is not yet made drops what is sent.
    for (auto& client : clients_) client->stats();
  }
  LoadClient& first() { return *clients_.front(); }
  LoadReport run() {
    std::vector<std::future<LoadReport>> others;
    for (std::size_t i = 1; i < clients_.size(); ++i)
      others.push_back(
          std::async(std::launch::async, [client = clients_[i].get()] { return client->run(); }));
    LoadReport report = first().run();
    for (auto& other : others) report.add(other.get());
    return report;
  }

 private:
  transport::Context context_;
  std::vector<std::unique_ptr<LoadClient>> clients_;
};

TripRow measure(const RunOptions& options, const std::string& store, std::size_t window,
                const Interrupt& interrupt) {
  std::unique_ptr<const Daemons> own;
  if (options.running.dispatcher.empty()) own = std::make_unique<Daemons>(store, options.data_dir);
  const Endpoints& endpoints = own ? own->endpoints() : options.running;
  const EchoFleet fleet({endpoints.broker, options.workers, options.slots, options.result_bytes});
  Clients clients(options, endpoints.dispatcher, window, [&] {
    interrupt.check();
    if (own) own->check();
  });
  clients.first().wait_online(options.workers, fleet.name());

  const ValueMap before = clients.first().stats();
  const Usage nothing{kNotMeasured, kNotMeasured};
  const Usage b0 = own ? own->broker() : nothing, d0 = own ? own->dispatcher() : nothing;
  const Usage bench0 = usage_of(getpid());
  TripRow row{};
  row.load = clients.run();
  const Usage bench1 = usage_of(getpid());
  const Usage b1 = own ? own->broker() : nothing, d1 = own ? own->dispatcher() : nothing;
  const ValueMap after = clients.first().stats();

  const auto grown = [&](const char* key) { return get_uint(after, key) - get_uint(before, key); };
  const double tasks = static_cast<double>(row.load.tasks);
  row.store = get_string(after, "store", "-");
  row.window = window;
  row.executed = fleet.executed();
  row.commits = grown("commits_total");
  row.committed_tasks = grown("committed_tasks_total");
  row.broker_us = (b1.cpu_us - b0.cpu_us) / tasks;
  row.dispatcher_us = (d1.cpu_us - d0.cpu_us) / tasks;
  row.bench_us = (bench1.cpu_us - bench0.cpu_us) / tasks;
  row.rss_mib = d1.rss_mib;
  return row;
}

}  // namespace

void run_tasks(const RunOptions& options, const Interrupt& interrupt) {
  const Folder folder(options.data_dir);
  const Table table = trip_table();
  if (!options.json)
    std::cout << "Times in us, CPU in us per task.\n\n" << table.head() << std::flush;
  Latencies disk;
  nlohmann::ordered_json rows = nlohmann::json::array();
  std::map<std::string, double> single;  // p50 of ACCEPTED at window 1, by store
  const auto stores =
      options.running.dispatcher.empty() ? options.stores : std::vector{std::string()};
  for (const std::string& store : stores) {
    for (const std::size_t window : options.windows) {
      // Around each row that it is read against: other work on the machine changes the disk.
      const bool durable = store != "memory";
      if (durable) disk.add(probe_disk(folder.path(), kProbes));
      TripRow row = measure(options, store, window, interrupt);
      if (durable) disk.add(probe_disk(folder.path(), kProbes));
      if (window == 1) single[row.store] = row.load.accepted.quantile(0.5);
      rows.push_back(to_json(row));
      if (!options.json) std::cout << to_line(table, row) << std::flush;
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
                                        {"rows", std::move(rows)}};
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
