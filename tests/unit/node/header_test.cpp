// The public header must compile alone, before anything else is included.
#include <catch2/catch.hpp>

#include "genai/node.h"

#if defined(ZMQ_VERSION) || defined(MSGPACK_VERSION)
#error "the public header must not bring in ZeroMQ or msgpack"
#endif

namespace genai::node {
namespace {

NodeConfig good() {
  NodeConfig config;
  config.node_id = "n1";
  return config;
}

std::string wrong_member(const NodeConfig& config) {
  const auto problem = config_problem(config);
  return problem ? problem->member : "";
}

TEST_CASE("config_problem names the member") {
  CHECK(wrong_member(good()).empty());
  CHECK(wrong_member({}) == "node_id");
  NodeConfig config = good();
  config.broker_endpoint = "127.0.0.1:7700";
  CHECK(wrong_member(config) == "broker_endpoint");
  config = good();
  config.slots = 0;
  CHECK(wrong_member(config) == "slots");
  config = good();
  config.models = {""};
  CHECK(wrong_member(config) == "models");
  config.models.assign(1000, std::string(100, 'm'));
  CHECK(wrong_member(config) == "models");
  config = good();
  config.gpu_type = "\xff";
  CHECK(wrong_member(config) == "gpu_type");
  config = good();
  config.vram_mib = std::uint64_t{1} << 32;
  CHECK(wrong_member(config) == "vram_mib");
  config = good();
  config.min_cost = -1;
  CHECK(wrong_member(config) == "min_cost");
  config.min_cost = 0;
  for (const std::chrono::seconds wrong :
       {std::chrono::seconds(-1), std::chrono::seconds(604'801)}) {
    config.drain_timeout = wrong;
    CHECK(wrong_member(config) == "drain_timeout");
  }
}

TEST_CASE("a Node with a wrong config throws") {
  CHECK_THROWS_AS(Node({}, [](const Task&, TaskContext&) { return TaskResult::ok(""); }),
                  std::invalid_argument);
}

}  // namespace
}  // namespace genai::node
