// A bound that a figure should keep, and whether it does.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/bench/table.h"

namespace genai::bench {

struct Goal {
  enum class Side { kAtLeast, kAtMost };
  enum class Verdict { kMet, kMissed, kNotCounted };

  std::string name;
  Side side = Side::kAtLeast;
  double bound = 0;
  int decimals = 2;
  double figure = 0;             // NaN keeps no bound
  std::string not_counted = {};  // why this machine cannot tell; empty: it counts

  Verdict verdict() const;
};

/// Whether none that counts is missed.
bool all_met(const std::vector<Goal>& goals);

Table goal_table();
std::string to_line(const Table& table, const Goal& goal);
/// "met" is null when it is not counted.
nlohmann::ordered_json to_json(const Goal& goal);

}  // namespace genai::bench
