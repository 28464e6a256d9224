#include "tools/bench/trip.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <future>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tools/bench/backlog.h"
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

/// With a task for each.
std::size_t client_count(const Trip& trip) {
  const std::size_t busy = trip.rate > 0 ? trip.clients : std::min(trip.clients, trip.window);
  return std::min<std::size_t>(busy, trip.tasks);
}

/// Of one of `count` clients.
Pace pace_of(const Trip& trip, std::size_t count, std::size_t index) {
  Pace pace{share(trip.window, count, index), trip.batch, share(trip.tasks, count, index),
            trip.seconds};
  if (trip.rate > 0) pace.schedule = Schedule{trip.rate, count, index};
  return pace;
}

/// Clients that run at once, each on a thread of its own.
class Clients {
 public:
  Clients(const Trip& trip, const std::string& dispatcher, const std::function<void()>& check) {
    const std::size_t count = client_count(trip);
    for (std::size_t i = 0; i < count; ++i)
      clients_.push_back(std::make_unique<LoadClient>(
          context_, LoadOptions{dispatcher, pace_of(trip, count, i), trip.payload_bytes}, check));
    // A connection that is not yet made drops what is sent.
    for (auto& client : clients_) client->connection().stats();
  }
  Connection& connection() { return clients_.front()->connection(); }
  LoadReport run() {
    std::vector<std::future<LoadReport>> others;
    for (std::size_t i = 1; i < clients_.size(); ++i)
      others.push_back(
          std::async(std::launch::async, [client = clients_[i].get()] { return client->run(); }));
    LoadReport report = clients_.front()->run();
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
  row.window = trip.rate > 0 ? 0 : trip.window;
  row.wanted_per_s = trip.rate > 0 ? static_cast<double>(trip.rate) : kNotMeasured;
  row.batch = trip.batch;
  row.against_raw = row.queued_per_s = row.bytes_per_queued = kNotMeasured;
  return row;
}

/// With room for the tasks queued before, beside as many as without them.
DaemonOptions daemons_of(const Trip& trip) {
  constexpr std::uint64_t kSpecBytes = 1024, kMostMib = 1u << 20;  // the option's own bound
  DaemonOptions options;
  options.store = trip.store;
  options.data_dir = trip.data_dir;
  options.max_tasks += trip.depth;
  options.max_queued_mib += (trip.depth * (trip.payload_bytes + kSpecBytes)) >> 20;
  options.max_queued_mib = std::min(options.max_queued_mib, kMostMib);
  return options;
}

/// The backlog of a row, and what it costs the dispatcher beyond what it was given to keep.
void queue_beside(const Trip& trip, const Daemons& daemons, Connection& connection, TripRow& row) {
  connection.stats();  // all there is to do before is done
  const double before_mib = daemons.dispatcher().rss_mib;
  const Queued queued = queue(connection, {trip.depth, trip.payload_bytes});
  const double grown = (daemons.dispatcher().rss_mib - before_mib) * (1 << 20);
  const double tasks = static_cast<double>(trip.depth);
  row.depth = trip.depth;
  row.queued_per_s = tasks / queued.seconds;
  row.bytes_per_queued = (grown - static_cast<double>(queued.bytes)) / tasks;
}

/// Which row it was, for people.
std::string row_name(const Trip& trip) {
  return fmt::format(
      "store {}, {} of {} tasks in a SUBMIT, {} nodes, {} queued beside", trip.store, trip.batch,
      trip.rate > 0 ? fmt::format("{} a second", trip.rate) : fmt::format("{} open", trip.window),
      trip.workers, trip.depth);
}

TripRow measure_beside(const Trip& trip, const Interrupt& interrupt, const Daemons* own,
                       const EchoFleet& fleet) {
  const Endpoints& endpoints = own ? own->endpoints() : trip.running;
  Clients clients(trip, endpoints.dispatcher, [&] {
    interrupt.check();
    if (own) own->check();
  });
  clients.connection().wait_online(trip.workers, fleet.name());

  const Usage nothing{kNotMeasured, kNotMeasured};
  const auto dispatcher = [&] { return own ? own->dispatcher() : nothing; };
  const auto broker = [&] { return own ? own->broker() : nothing; };
  const auto spent = [&] {
    return Spent{dispatcher().cpu_us, broker().cpu_us, usage_of(getpid()).cpu_us};
  };
  TripRow row = row_of(trip, "-");
  if (own && trip.depth > 0) queue_beside(trip, *own, clients.connection(), row);
  const ValueMap stats_before = clients.connection().stats();
  const Spent before = spent();
  row.store = get_string(stats_before, "store", "-");
  row.load = clients.run();
  spent().per_task(before, row);
  row.broker_rss_mib = broker().rss_mib;
  row.dispatcher_rss_mib = dispatcher().rss_mib;
  const ValueMap stats = clients.connection().stats();
  const auto grown = [&](const char* key) {
    return get_uint(stats, key) - get_uint(stats_before, key);
  };
  row.executed = fleet.executed();
  if (fleet.resent() > 0)  // frames were lost: the row waited for it
    std::cerr << fmt::format("genai-bench: {}: {} results were sent again\n", row_name(trip),
                             fleet.resent());
  row.silent = own ? own->silent() : 0;
  row.commits = grown("commits_total");
  row.committed_tasks = grown("committed_tasks_total");
  return row;
}

}  // namespace

TripRow measure_trip(const Trip& trip, const Interrupt& interrupt) {
  std::unique_ptr<const Daemons> own;
  if (trip.running.dispatcher.empty()) own = std::make_unique<Daemons>(daemons_of(trip));
  const std::string& broker = own ? own->endpoints().broker : trip.running.broker;
  const EchoFleet fleet({broker, trip.workers, trip.slots, trip.result_bytes});
  try {
    return measure_beside(trip, interrupt, own.get(), fleet);
  } catch (const Silence& silence) {
    throw std::runtime_error(
        fmt::format("{}: {}; nodes: {} tasks executed, {} results sent again; {}", row_name(trip),
                    silence.what(), fleet.executed(), fleet.resent(),
                    own ? own->activity() : "others' daemons"));
  }
}

TripRow measure_raw(const Trip& trip, const Interrupt& interrupt) {
  const RawProxy proxy;
  // Each is a socket of its own there; more of them would not make the reference faster.
  constexpr unsigned kMaxConnections = 100;
  const RawWorkers workers(proxy.back(), std::min(trip.workers, kMaxConnections));
  const auto spent = [&] {
    return Spent{proxy.first().cpu_us, proxy.second().cpu_us, usage_of(getpid()).cpu_us};
  };
  const Spent before = spent();
  TripRow row = row_of(trip, "raw");
  row.load = run_raw_load(proxy.front(), {pace_of(trip, 1, 0), trip.payload_bytes}, [&] {
    interrupt.check();
    proxy.check();
  });
  spent().per_task(before, row);
  row.broker_rss_mib = proxy.second().rss_mib;
  row.dispatcher_rss_mib = proxy.first().rss_mib;
  return row;
}

}  // namespace genai::bench
