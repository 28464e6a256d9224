#include "tools/bench/placement_bench.h"

#include <catch2/catch.hpp>
#include <map>
#include <sstream>

#include "tools/bench/placement_scenarios.h"

using namespace genai::bench;

namespace {

std::string report(PlacementOptions options) {
  std::ostringstream out;
  run_placement(options, out, [] {});
  return out.str();
}

}  // namespace

TEST_CASE("every scenario ends with each of its tasks terminal, however nodes are chosen") {
  const std::map<std::string_view, std::size_t> submitted{{"a", 500},  {"b", 3000},   {"b2", 3000},
                                                          {"c", 1000}, {"d", 10'010}, {"e", 405}};
  REQUIRE(placement_scenarios().size() == submitted.size());
  for (const bool queue_length_only : {false, true}) {
    genai::dispatcher::Config config;
    config.queue_length_only = queue_length_only;
    for (const Scenario& scenario : placement_scenarios()) {
      CAPTURE(scenario.key, queue_length_only);
      const Trial trial = scenario.run(config, 1);
      CHECK(trial.submitted == submitted.at(scenario.key));
      CHECK(trial.completed + trial.failed == trial.submitted);
      if (scenario.key != "c") CHECK(trial.failed == 0);
    }
  }
}

TEST_CASE("the same seed gives the same bytes, another seed others") {
  CHECK(report({{}, 5, false}) == report({{}, 5, false}));
  for (const bool json : {false, true}) {
    const std::string once = report({{"a", "c"}, 5, json});
    CHECK(once == report({{"a", "c"}, 5, json}));
    CHECK(once != report({{"a", "c"}, 6, json}));
  }
}

TEST_CASE("only the scenarios asked for are run, after a check each") {
  int checks = 0;
  std::ostringstream out;
  run_placement({{"e", "a"}, 1, false}, out, [&] { ++checks; });
  CHECK(checks == 2);
  CHECK(out.str().find("| a: makespan s") != std::string::npos);
  CHECK(out.str().find("| e: mean makespan s") != std::string::npos);
  CHECK(out.str().find("b:") == std::string::npos);
}

TEST_CASE("no placement beats the lower bound") {
  const Trial trial = placement_scenarios()[0].run({}, 1);
  CHECK(trial.figures.at(0).value >= trial.figures.at(1).value);
}
