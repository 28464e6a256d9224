// What a broker counts of itself.
#include <fstream>
#include <map>
#include <regex>
#include <string>

#include "tests/unit/broker/world.h"

namespace genai::broker::test {
namespace {

/// Name to kind, of the rows of SPEC.md.
std::map<std::string, std::string> documented() {
  std::ifstream file(GENAI_ROOT "/protocol/SPEC.md");
  std::map<std::string, std::string> rows;
  const std::regex row(R"(\| `(\w+)` \| (counter|gauge) \| .+ \|)");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("**Metrics of a broker**")) continue;
  while (std::getline(file, line) && !line.starts_with("## "))
    if (std::smatch match; std::regex_match(line, match, row)) rows[match[1]] = match[2];
  return rows;
}

}  // namespace

TEST_CASE("each metric of a broker has a sentence, a number and a row in SPEC.md") {
  World world;
  std::map<std::string, std::string> registered;
  for (const Metrics::Metric& metric : world.core.metrics().all()) {
    INFO(metric.name);
    registered[metric.name] = name(metric.kind);
    CHECK(metric.help.ends_with('.'));
    CHECK(metric.name.ends_with("_total") == (metric.kind == Metrics::Kind::kCounter));
    CHECK(std::holds_alternative<std::int64_t>(metric.read().v));
    CHECK(world.metric(metric.name) == 0);
  }
  CHECK(registered == documented());
}

TEST_CASE("nodes are counted by state, and sessions by how they ended") {
  World world(3);
  for (std::uint8_t n = 1; n <= 3; ++n)
    world.node("p" + std::to_string(n), hello("n" + std::to_string(n), n));
  world.node("p4", hello("n4", 4));
  CHECK(world.metric("joined_total") == 3);
  CHECK(world.metric("refused_nodes_total") == 1);
  CHECK(world.metric("nodes_online") == 3);
  world.node("p1", msg::Heartbeat{1, {}, {}});
  CHECK(world.metric("heartbeats_total") == 1);

  world.node("p2", msg::Leave{""});
  CHECK(world.metric("nodes_draining") == 1);
  world.pass(3000);
  CHECK(world.metric("nodes_online") == 0);
  CHECK(world.metric("nodes_draining") == 0);
  CHECK(world.metric("nodes_suspect") == 3);
  CHECK(world.metric("suspected_total") == 3);

  world.node("p1", msg::Heartbeat{2, {}, {}});
  world.node("p2", msg::Heartbeat{2, {}, {}});
  CHECK(world.metric("nodes_online") == 1);
  CHECK(world.metric("nodes_draining") == 1);
  world.node("p5", hello("n1", 1));
  CHECK(world.metric("rejoined_total") == 1);
  world.node("p5", hello("n1", 9));  // the same process, a new session
  CHECK(world.metric("replaced_total") == 1);
  world.node("p2", msg::Bye{""});
  CHECK(world.metric("left_total") == 1);
  world.pass(2000);
  CHECK(world.metric("lost_total") == 1);
  CHECK(world.metric("nodes_online") == 1);
  CHECK(world.metric("nodes_suspect") == 0);
  CHECK(world.metric("joined_total") == 4);
}

TEST_CASE("frames are counted each way, and those that are not passed on apart") {
  World world;
  world.node("a", hello("n1", 1));
  world.node_bytes("a", result_frame("t"));
  CHECK(world.metric("dropped_frames_total") == 1);
  CHECK(world.metric("frames_from_nodes_total") == 0);
  CHECK(world.metric("dispatcher_connected") == 0);
  world.connect_dispatcher();
  CHECK(world.metric("dispatcher_connected") == 1);
  CHECK(world.metric("dispatchers_total") == 1);
  const Blob frame = result_frame("t");
  world.node_bytes("a", frame);
  CHECK(world.metric("frames_from_nodes_total") == 1);
  CHECK(world.metric("bytes_from_nodes_total") == frame.size());

  const Blob parcel(std::string("12345"));
  world.dispatcher("D", msg::ToNodes{{{session_of(1), parcel}, {session_of(2), parcel}}});
  CHECK(world.metric("frames_to_nodes_total") == 1);
  CHECK(world.metric("bytes_to_nodes_total") == 5);
  CHECK(world.metric("undelivered_total") == 1);
  const std::vector<NodeOutput> sent = world.raw_to_nodes;
  world.tell(Undeliverable{sent.at(0), ErrorCode::kPeerFull});
  CHECK(world.metric("undelivered_total") == 2);
  CHECK(world.metric("unsendable_total") == 1);
}

TEST_CASE("how long the process did not run is counted, and how often most nodes fell silent") {
  World world;
  for (std::uint8_t n = 1; n <= 4; ++n)
    world.node("p" + std::to_string(n), hello("n" + std::to_string(n), n));
  world.stall(60'000);
  world.expire();
  CHECK(world.metric("late_ms_total") == 60'000);
  world.pass(5000);
  CHECK(world.metric("mass_silences_total") == 1);
  CHECK(world.metric("lost_total") == 0);
}

}  // namespace genai::broker::test
