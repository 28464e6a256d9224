#include "broker/options.h"

#include <utility>

#include "protocol/base/limits.h"

namespace genai::broker {
namespace {

using runtime::OptionProblem;
using runtime::Range;

std::optional<OptionProblem> validate(const Config& config) {
  for (const auto& [name, endpoint] : {std::pair("nodes-endpoint", &config.nodes_endpoint),
                                       {"link-endpoint", &config.link_endpoint}})
    if (auto problem = transport::security_problem(name, *endpoint, config.security))
      return problem;
  if (auto problem = transport::security_problem(config.security)) return problem;
  if (config.heartbeat_interval >= config.suspect)
    return OptionProblem{{"heartbeat-interval-ms", "suspect-ms"},
                         "heartbeat-interval-ms must be less than suspect-ms"};
  if (config.suspect >= config.lost)
    return OptionProblem{{"suspect-ms", "lost-ms"}, "suspect-ms must be less than lost-ms"};
  return std::nullopt;
}

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Config& config) {
  runtime::Options options("genai-broker",
                           "Keeps the sessions of the client nodes and their liveness.");
  const Range silence(limits::kMinHeartbeatMs + 1, 3'600'000);
  options.add("nodes-endpoint", config.nodes_endpoint, "Where client nodes connect");
  options.add("link-endpoint", config.link_endpoint, "Where the dispatcher connects");
  options.add("heartbeat-interval-ms", config.heartbeat_interval, "Time between two heartbeats",
              Range(limits::kMinHeartbeatMs, limits::kMaxHeartbeatMs));
  options.add("suspect-ms", config.suspect, "Silence after which a node gets no new work", silence);
  options.add("lost-ms", config.lost, "Silence after which a node's work is given to others",
              silence);
  options.add("max-nodes", config.max_nodes, "Nodes at once; further ones are refused",
              Range(1, limits::kMaxSnapshotEntries));
  transport::add_options(options, config.security);
  options.on_validate([&] { return validate(config); });
  if (const auto exit_code = options.parse(argc, argv)) return exit_code;
  config.log_level = options.log_level();
  config.log_format = options.log_format();
  return std::nullopt;
}

}  // namespace genai::broker
