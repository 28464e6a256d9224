// What `genai-bench run` says of one store (or the reference: "raw") and window.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tools/bench/load_client.h"
#include "tools/bench/table.h"

namespace genai::bench {

/// NaN stands for "not measured": "-" in the table, null in JSON. Per task means per task
/// delivered.
struct TripRow {
  std::string store;
  std::size_t window = 0;  // 0: an open loop
  std::size_t batch = 0;
  double wanted_per_s;  // of an open loop
  LoadReport load;
  std::uint64_t executed = 0;         // by the fleet
  std::uint64_t silent = 0;           // times that a node of it was thought to be
  std::uint64_t commits = 0;          // during the row
  std::uint64_t committed_tasks = 0;  // as STATS counts them: each once per commit that has it
  double broker_us, dispatcher_us;    // CPU per task
  double bench_us = 0;                // of clients and nodes
  double broker_rss_mib, dispatcher_rss_mib;  // at the end
  double against_raw;                         // tasks/s over those of the unbatched reference

  // Of tasks that wait beside the row because no node can take them.
  std::uint64_t depth = 0;
  double queued_per_s;      // while they were submitted
  double bytes_per_queued;  // resident in the dispatcher, beyond each one's payload and id

  double tasks_per_s() const;
  double reached_per_s() const;  // of wanted_per_s
  double submits_per_s() const;  // tasks accepted, until the last was
  double tasks_per_commit() const;
  double commits_per_s() const;
};

/// Columns that only some runs have something in.
struct TripColumns {
  bool depth = false, rate = false;
};

class TripTable {
 public:
  explicit TripTable(TripColumns columns);
  std::string head() const { return table_.head(); }
  /// Sorts the latencies.
  std::string line(TripRow& row) const;

 private:
  const TripColumns columns_;
  const Table table_;
};

nlohmann::ordered_json to_json(TripRow& row);

}  // namespace genai::bench
