// What brokers say of themselves, and how often they are asked.
#include "dispatcher/fleet/broker_metrics.h"

#include "dispatcher/fleet/limits.h"
#include "tests/unit/dispatcher/world.h"

namespace genai::dispatcher::test {
namespace {

std::size_t take_asked(World& world, std::size_t broker = 0) {
  return std::erase_if(world.to_brokers, [&](const auto& sent) {
    return sent.first == broker && std::holds_alternative<msg::LinkStatsQuery>(sent.second);
  });
}

ValueList brokers_of(World& world) {
  world.from_client(msg::StatsQuery{1});
  return get_list(world.take_to_client<msg::Stats>().at(0).stats, "brokers");
}
ValueMap metrics_of(World& world, std::size_t broker = 0) {
  return get_map(std::get<ValueMap>(brokers_of(world).at(broker).v), "metrics");
}

}  // namespace

TEST_CASE("a broker is asked with every fifth heartbeat, once it has answered") {
  World world;
  world.snapshot();
  world.run_for(1000);
  CHECK(take_asked(world) == 1);
  CHECK(metrics_of(world).empty());
  world.run_for(10'000);
  CHECK(take_asked(world) == 0);
  world.link(msg::LinkStats{{{"nodes_online", 3}}});
  CHECK(get_uint(metrics_of(world), "nodes_online") == 3);
  world.run_for(4000);
  CHECK(take_asked(world) == 0);
  world.run_for(1000);
  CHECK(take_asked(world) == 1);
  CHECK(get_uint(metrics_of(world), "nodes_online") == 3);  // until the next answer
  world.link(msg::LinkStats{{{"nodes_online", 4}}});
  CHECK(get_uint(metrics_of(world), "nodes_online") == 4);
}

TEST_CASE("a question that was lost is asked again at last") {
  World world;
  world.snapshot();
  world.run_for(1000);
  CHECK(take_asked(world) == 1);
  world.run_for(58'000);
  CHECK(take_asked(world) == 0);
  world.run_for(2000);
  CHECK(take_asked(world) == 1);
}

TEST_CASE("a broker of an earlier release is asked once, and nobody is alarmed") {
  World world;
  world.snapshot();
  world.run_for(1000);
  CHECK(take_asked(world) == 1);
  world.notes.clear();
  world.link(msg::ErrorReply{0, ErrorCode::kUnknownType, "type 27 is unknown"});
  world.run_for(300'000);
  CHECK(take_asked(world) == 0);
  CHECK(world.notes.empty());
  CHECK(metrics_of(world).empty());
  // The same error about anything else is told.
  world.link(msg::ErrorReply{0, ErrorCode::kUnknownType, "type 24 is unknown"});
  world.step();
  CHECK(world.notes.size() == 1);

  world.life = 1;  // it is replaced by one of this release
  world.snapshot();
  world.link(msg::LinkHeartbeat{World::broker_id(0, 1), world.seqs[0]});
  world.now.mono += from_ms(1000);
  world.step();
  CHECK(take_asked(world) == 1);
}

TEST_CASE("of a broker that is down no metrics are shown") {
  World world;
  world.snapshot();
  world.link(msg::LinkStats{{{"nodes_online", 3}}});
  CHECK(metrics_of(world).size() == 1);
  world.broker_silent = true;
  world.run_for(6000);
  CHECK(metrics_of(world).empty());
}

TEST_CASE("brokers that tell a lot leave room in STATS for what else is there") {
  World world({}, {"ipc://0", "ipc://1", "ipc://2", "ipc://3"});
  for (std::size_t broker = 0; broker < 4; ++broker) {
    world.snapshot({}, broker);
    const std::string text(broker == 1 ? kMaxBrokerMetricsBytes : kMaxBrokerMetricsBytes / 2 - 9,
                           'x');
    world.link(msg::LinkStats{{{"note", text}}}, broker);
  }
  std::vector<bool> shown;
  for (std::size_t broker = 0; broker < 4; ++broker)
    shown.push_back(!metrics_of(world, broker).empty());
  CHECK(shown == std::vector{true, false, true, false});
}

}  // namespace genai::dispatcher::test
