#include "tools/bench/placement_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>

#include "tools/bench/placement_scenarios.h"
#include "tools/bench/table.h"

namespace genai::bench {
namespace {

struct Row {
  std::string_view scenario;
  Figure measured;
  double queue_length;

  double ratio() const { return queue_length != 0 ? measured.value / queue_length : std::nan(""); }
};

std::vector<Scenario> chosen(const std::vector<std::string>& keys) {
  std::vector<Scenario> out;
  for (const Scenario& scenario : placement_scenarios())
    if (keys.empty() || std::ranges::count(keys, scenario.key)) out.push_back(scenario);
  return out;
}

std::vector<Row> measure(const Scenario& scenario, std::uint64_t seed) {
  dispatcher::Config by_queue_length;
  by_queue_length.queue_length_only = true;
  const Trial measured = scenario.run({}, seed);
  const Trial other = scenario.run(by_queue_length, seed);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < measured.figures.size(); ++i)
    rows.push_back({scenario.key, measured.figures[i], other.figures.at(i).value});
  return rows;
}

std::string to_line(const Table& table, const Row& row) {
  const Figure& figure = row.measured;
  return table.row({fmt::format("{}: {}", row.scenario, figure.name),
                    cell(figure.value, figure.decimals), cell(row.queue_length, figure.decimals),
                    cell(row.ratio(), 2)});
}

nlohmann::ordered_json to_json(const Row& row) {
  return {{"scenario", row.scenario},
          {"figure", row.measured.name},
          {"measured", row.measured.value},
          {"queue_length", row.queue_length},
          {"ratio", row.ratio()}};
}

}  // namespace

void run_placement(const PlacementOptions& options, std::ostream& out,
                   const std::function<void()>& check) {
  const auto scenarios = chosen(options.scenarios);
  const Table table(
      {fmt::format("{:<28}", "scenario: figure"), "measured", "queue length", "ratio"});
  if (!options.json) {
    for (const Scenario& scenario : scenarios)
      out << fmt::format("{}: {}\n", scenario.key, scenario.title);
    out << '\n' << table.head() << std::flush;
  }
  nlohmann::ordered_json report{{"seed", options.seed}, {"rows", nlohmann::json::array()}};
  for (const Scenario& scenario : scenarios) {
    check();
    for (const Row& row : measure(scenario, options.seed)) {
      report["rows"].push_back(to_json(row));
      if (!options.json) out << to_line(table, row) << std::flush;
    }
  }
  if (options.json) out << report.dump() << '\n';
}

}  // namespace genai::bench
