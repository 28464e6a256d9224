// The one list of a spec's keys serves both directions.
#include "protocol/wire/open_map.h"

#include <catch2/catch.hpp>

#include "protocol/base/limits.h"

using namespace genai;
using namespace genai::wire;

TEST_CASE("a spec is written without its defaults, and with every key that differs") {
  TaskSpec spec;
  CHECK(map_from(spec).empty());
  spec.needs = {"sdxl", "rtx4090", 4, 8000, 12000};
  spec.ttl_ms = spec.time_limit_ms = spec.start_in_ms = spec.deadline_in_ms = 7;
  spec.max_attempts = 3;
  spec.label = "a red sphere";
  spec.tenant = "alice";
  spec.priority = 0;
  spec.not_before_ms = spec.deadline_ms = 1'800'000'000'000;
  spec.max_cost = spec.time_to_money_ratio = 0;
  spec.work = 1.5;
  const ValueMap map = map_from(spec);
  CHECK(map.size() == spec_defaults().size());
  for (const auto& [key, value] : map) {
    INFO(key);
    CHECK(spec_defaults().contains(key));
  }
}

TEST_CASE("the defaults of a spec are those of its members") {
  const ValueMap& defaults = spec_defaults();
  CHECK(get_uint(defaults, "ttl_ms") == limits::kDefaultTtlMs);
  CHECK(get_uint(defaults, "priority") == limits::kDefaultPriority);
  CHECK(get_double(defaults, "max_cost") == TaskSpec::kUnlimited);
  CHECK(defaults.at("label") == Value(""));
  CHECK_FALSE(defaults.contains("params"));
}

TEST_CASE("each whole number of a spec has a largest value") {
  CHECK(largest_in_spec("ncpu") == UINT32_MAX);
  CHECK(largest_in_spec("priority") == limits::kMaxPriority);
  CHECK(largest_in_spec("deadline_ms") == limits::kMaxUnixMs);
  for (const char* key : {"label", "work", "params", "ncpus", ""}) CHECK(largest_in_spec(key) == 0);
}
