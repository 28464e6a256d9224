// genai-ctl nodes, drain
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/ctl/format.h"
#include "tools/ctl/json.h"
#include "tools/ctl/screen.h"
#include "tools/ctl/session.h"

namespace genai::ctl {

int run_nodes(Session& session) {
  const auto nodes = session.client.nodes(session.options.long_format);
  if (session.options.json) {
    for (const auto& node : nodes) print_json(node);
    return runtime::kExitOk;
  }
  for (const std::string& line : node_table(nodes, session.options.long_format))
    fmt::print("{}\n", line);
  const auto measured = measured_table(nodes);
  if (measured.size() > 1) fmt::print("\n");
  if (measured.size() > 1)
    for (const std::string& line : measured) fmt::print("{}\n", line);
  return runtime::kExitOk;
}

int run_drain(Session& session) {
  const Options& options = session.options;
  session.client.drain(options.node, !options.off);
  const std::string target = options.all ? "dispatcher" : options.node;
  if (options.json)
    print({{"target", target}, {"draining", !options.off}});
  else
    fmt::print("{} {}\n", target, options.off ? "takes work again" : "gets no new work");
  return runtime::kExitOk;
}

}  // namespace genai::ctl
