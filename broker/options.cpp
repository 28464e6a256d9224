#include "broker/options.h"

#include <utility>

#include "protocol/base/limits.h"
#include "protocol/runtime/options.h"
#include "protocol/security/options.h"

namespace genai::broker {
namespace {

using runtime::OptionProblem;
using runtime::Range;

std::optional<OptionProblem> validate(const Options& options) {
  for (const auto& [name, endpoint] : {std::pair("nodes-endpoint", &options.nodes_endpoint),
                                       {"link-endpoint", &options.link_endpoint}})
    if (auto problem = transport::security_problem(name, *endpoint, options.security))
      return problem;
  if (auto problem = transport::security_problem(options.security)) return problem;
  const Timing& timing = options.config.timing;
  if (timing.heartbeat >= timing.suspect)
    return OptionProblem{{"heartbeat-interval-ms", "suspect-ms"},
                         "heartbeat-interval-ms must be less than suspect-ms"};
  if (timing.suspect >= timing.lost)
    return OptionProblem{{"suspect-ms", "lost-ms"}, "suspect-ms must be less than lost-ms"};
  return std::nullopt;
}

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  runtime::Options parser("genai-broker",
                          "Keeps the sessions of the client nodes and their liveness.");
  Timing& timing = options.config.timing;
  const Range silence(limits::kMinHeartbeatMs + 1, 3'600'000);
  parser.add("nodes-endpoint", options.nodes_endpoint, "Where client nodes connect");
  parser.add("link-endpoint", options.link_endpoint, "Where the dispatcher connects");
  parser.add("heartbeat-interval-ms", timing.heartbeat, "Time between two heartbeats",
             Range(limits::kMinHeartbeatMs, limits::kMaxHeartbeatMs));
  parser.add("suspect-ms", timing.suspect, "Silence after which a node gets no new work", silence);
  parser.add("lost-ms", timing.lost, "Silence after which a node's work is given to others",
             silence);
  parser.add("max-nodes", options.config.max_nodes, "Nodes at once; further ones are refused",
             Range(1, limits::kMaxSnapshotEntries));
  transport::add_options(parser, options.security);
  parser.on_validate([&] { return validate(options); });
  if (const auto exit_code = parser.parse(argc, argv)) return exit_code;
  options.log_level = parser.log_level();
  options.log_format = parser.log_format();
  return std::nullopt;
}

}  // namespace genai::broker
