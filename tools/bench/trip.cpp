#include "tools/bench/trip.h"

#include <unistd.h>

#include <cmath>
#include <future>
#include <memory>
#include <vector>

#include "tools/bench/echo_fleet.h"
#include "tools/bench/raw_echo.h"
#include "tools/bench/raw_proxy.h"

namespace genai::bench {
namespace {

const double kNotMeasured = std::nan("");

/// The whole divided among `parts`, the first ones get what is left over.
std::uint64_t share(std::uint64_t whole, std::size_t parts, std::size_t index) {
  return whole / parts + (index < whole % parts ? 1 : 0);
}

/// Clients that run at once, each on a thread of its own.
class Clients {
 public:
  Clients(const Trip& trip, const std::string& dispatcher, const std::function<void()>& check) {
    const std::size_t count = std::min<std::size_t>({trip.clients, trip.window, trip.tasks});
    for (std::size_t i = 0; i < count; ++i)
      clients_.push_back(std::make_unique<LoadClient>(
          context_,
          LoadOptions{dispatcher, share(trip.window, count, i), trip.batch, trip.payload_bytes,
                      share(trip.tasks, count, i), trip.seconds},
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

/// CPU that each place of a trip has used.
struct Spent {
  double dispatcher, broker, bench;

  void per_task(const Spent& before, TripRow& row) const {
    const double tasks = static_cast<double>(row.load.tasks);
    row.dispatcher_us = (dispatcher - before.dispatcher) / tasks;
    row.broker_us = (broker - before.broker) / tasks;
    row.bench_us = (bench - before.bench) / tasks;
  }
};

TripRow row_of(const Trip& trip, std::string store) {
  TripRow row{};
  row.store = std::move(store);
  row.window = trip.window;
  row.batch = trip.batch;
  row.against_raw = kNotMeasured;
  return row;
}

}  // namespace

TripRow measure_trip(const Trip& trip, const Interrupt& interrupt) {
  std::unique_ptr<const Daemons> own;
  if (trip.running.dispatcher.empty()) own = std::make_unique<Daemons>(trip.store, trip.data_dir);
  const Endpoints& endpoints = own ? own->endpoints() : trip.running;
  const EchoFleet fleet({endpoints.broker, trip.workers, trip.slots, trip.result_bytes});
  Clients clients(trip, endpoints.dispatcher, [&] {
    interrupt.check();
    if (own) own->check();
  });
  clients.first().wait_online(trip.workers, fleet.name());

  const Usage nothing{kNotMeasured, kNotMeasured};
  const auto dispatcher = [&] { return own ? own->dispatcher() : nothing; };
  const auto broker = [&] { return own ? own->broker() : nothing; };
  const auto spent = [&] {
    return Spent{dispatcher().cpu_us, broker().cpu_us, usage_of(getpid()).cpu_us};
  };
  const ValueMap stats_before = clients.first().stats();
  const Spent before = spent();
  TripRow row = row_of(trip, get_string(stats_before, "store", "-"));
  row.load = clients.run();
  spent().per_task(before, row);
  row.broker_rss_mib = broker().rss_mib;
  row.dispatcher_rss_mib = dispatcher().rss_mib;
  const ValueMap stats = clients.first().stats();
  const auto grown = [&](const char* key) {
    return get_uint(stats, key) - get_uint(stats_before, key);
  };
  row.executed = fleet.executed();
  row.commits = grown("commits_total");
  row.committed_tasks = grown("committed_tasks_total");
  return row;
}

TripRow measure_raw(const Trip& trip, const Interrupt& interrupt) {
  const RawProxy proxy;
  const RawWorkers workers(proxy.back(), trip.workers);
  const auto spent = [&] {
    return Spent{proxy.first().cpu_us, proxy.second().cpu_us, usage_of(getpid()).cpu_us};
  };
  const Spent before = spent();
  TripRow row = row_of(trip, "raw");
  row.load = run_raw_load(
      proxy.front(), {trip.window, trip.batch, trip.payload_bytes, trip.tasks, trip.seconds}, [&] {
        interrupt.check();
        proxy.check();
      });
  spent().per_task(before, row);
  row.broker_rss_mib = proxy.second().rss_mib;
  row.dispatcher_rss_mib = proxy.first().rss_mib;
  return row;
}

}  // namespace genai::bench
