#include "tools/bench/goal.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

using namespace genai::bench;
using enum Goal::Side;
using enum Goal::Verdict;

TEST_CASE("a figure that stands on its bound keeps it") {
  CHECK(Goal{"", kAtLeast, 0.6, 2, 0.6}.verdict() == kMet);
  CHECK(Goal{"", kAtLeast, 0.6, 2, 0.59}.verdict() == kMissed);
  CHECK(Goal{"", kAtMost, 1.3, 2, 1.3}.verdict() == kMet);
  CHECK(Goal{"", kAtMost, 1.3, 2, 1.31}.verdict() == kMissed);
}

TEST_CASE("what was not measured keeps no bound") {
  CHECK(Goal{"", kAtLeast, 0, 2, std::nan("")}.verdict() == kMissed);
  CHECK(Goal{"", kAtMost, 9, 2, std::nan("")}.verdict() == kMissed);
}

TEST_CASE("a goal that is not counted is neither met nor missed") {
  const Goal slow{"", kAtLeast, 9, 0, 1, "the disk is slow"}, fast{"", kAtLeast, 9, 0, 10, "so"};
  CHECK(slow.verdict() == kNotCounted);
  CHECK(fast.verdict() == kNotCounted);
  CHECK(to_json(slow)["met"].is_null());
  CHECK(to_json(slow)["not_counted"] == "the disk is slow");
}

TEST_CASE("all are met when none that counts is missed") {
  const Goal met{"", kAtLeast, 1, 0, 2}, missed{"", kAtLeast, 1, 0, 0},
      not_counted{"", kAtLeast, 1, 0, 0, "so"};
  CHECK(all_met({}));
  CHECK(all_met({met, not_counted}));
  CHECK_FALSE(all_met({met, missed}));
  CHECK(to_json(met)["met"] == true);
  CHECK(to_json(missed)["met"] == false);
}

TEST_CASE("a goal's line says figure, bound and verdict") {
  const Table table({"goal", "figure", "bound", "met"});
  CHECK(to_line(table, {"p50", kAtMost, 1.3, 2, 1.234}) ==
        "| p50  |   1.23 | at most 1.30 | yes |\n");
  CHECK(to_line(table, {"rate", kAtLeast, 60'000, 0, 9, "no disk"}) ==
        "| rate |      9 | at least 60000 | not counted: no disk |\n");
}
