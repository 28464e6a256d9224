#include "tools/bench/goal.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace genai::bench {
namespace {

const char* side_text(Goal::Side side) {
  return side == Goal::Side::kAtLeast ? "at least" : "at most";
}

}  // namespace

Goal::Verdict Goal::verdict() const {
  if (!not_counted.empty()) return Verdict::kNotCounted;
  const bool met = side == Side::kAtLeast ? figure >= bound : figure <= bound;
  return met ? Verdict::kMet : Verdict::kMissed;
}

bool all_met(const std::vector<Goal>& goals) {
  return std::ranges::none_of(
      goals, [](const Goal& goal) { return goal.verdict() == Goal::Verdict::kMissed; });
}

Table goal_table() {
  return Table(
      {"goal                                            ", "   figure", "           bound", "met"});
}

std::string to_line(const Table& table, const Goal& goal) {
  std::string met = "not counted: " + goal.not_counted;
  if (goal.verdict() == Goal::Verdict::kMet) met = "yes";
  if (goal.verdict() == Goal::Verdict::kMissed) met = "no";
  return table.row({goal.name, cell(goal.figure, goal.decimals),
                    side_text(goal.side) + (" " + cell(goal.bound, goal.decimals)), met});
}

nlohmann::ordered_json to_json(const Goal& goal) {
  nlohmann::ordered_json json{{"goal", goal.name},
                              {"figure", goal.figure},
                              {"side", side_text(goal.side)},
                              {"bound", goal.bound},
                              {"met", goal.verdict() == Goal::Verdict::kMet}};
  if (goal.verdict() == Goal::Verdict::kNotCounted) {
    json["met"] = nullptr;
    json["not_counted"] = goal.not_counted;
  }
  return json;
}

}  // namespace genai::bench
