// What the dispatcher counts: each metric has a row in SPEC.md, and each reaches STATS.
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher::test;

namespace {

/// Name to kind, of the rows of SPEC.md before those of a broker.
std::map<std::string, std::string> documented() {
  std::ifstream file(GENAI_ROOT "/protocol/SPEC.md");
  std::map<std::string, std::string> rows;
  const std::regex row(R"(\| `(\w+)` \| (counter|gauge|histogram) \| .+ \|)");
  for (std::string line; std::getline(file, line) && !line.starts_with("**Metrics of a broker**");)
    if (std::smatch match; std::regex_match(line, match, row)) rows[match[1]] = match[2];
  return rows;
}

}  // namespace

TEST_CASE("every metric has a row in SPEC.md, and every row a metric") {
  World world;
  std::map<std::string, std::string> registered;
  for (const Metrics::Metric& metric : world.core.metrics().all()) {
    registered[metric.name] = name(metric.kind);
    CHECK(metric.help.ends_with('.'));
  }
  CHECK(registered == documented());
}
