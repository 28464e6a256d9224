#include "protocol/base/metrics.h"

#include <catch2/catch.hpp>

using namespace genai;

TEST_CASE("counters grow, gauges are read when somebody looks") {
  Metrics metrics;
  Counter& requeued = metrics.counter("requeued_total", "Tasks given back to the queue.");
  std::uint64_t nodes = 1;
  metrics.gauge("nodes", "Nodes that are there.", [&] { return nodes; });
  for (int i = 0; i < 1000; ++i)  // references stay valid
    metrics.counter("other_" + std::to_string(i) + "_total", "Another one.");
  ++requeued;
  requeued.add(2);
  nodes = 7;
  ValueMap map{{"store", "memory"}};
  metrics.write(map);
  CHECK(map.size() == 1003);
  CHECK(get_uint(map, "requeued_total") == 3);
  CHECK(get_uint(map, "other_999_total") == 0);
  CHECK(get_uint(map, "nodes") == 7);
  CHECK(metrics.all()[1].name == "nodes");
  CHECK(name(metrics.all()[1].kind) == "gauge");
}

TEST_CASE("a histogram counts up to each bound, and what is above the last in all") {
  Metrics metrics;
  Histogram& waits = metrics.histogram("wait_ms", "How long tasks waited.", {1, 10, 100});
  for (const double ms : {0.5, 1.0, 1.5, 100.0, 1000.0}) waits.observe(ms);
  ValueMap map;
  metrics.write(map);
  const ValueMap& shown = get_map(map, "wait_ms");
  CHECK(get_uint(shown, "count") == 5);
  CHECK(get_double(shown, "sum") == 1103);
  CHECK(get_list(shown, "buckets") == ValueList{ValueList{Value(1.0), Value(std::uint64_t{2})},
                                                ValueList{Value(10.0), Value(std::uint64_t{3})},
                                                ValueList{Value(100.0), Value(std::uint64_t{4})}});
}
