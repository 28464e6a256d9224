// genai-broker: sessions and liveness of the client nodes.
#include <cstdint>
#include <exception>

#include "broker/loop.h"
#include "broker/options.h"
#include "protocol/runtime/logging.h"
#include "protocol/runtime/options.h"
#include "protocol/runtime/signals.h"
#include "protocol/runtime/startup.h"
#include "protocol/transport/system.h"

namespace {

using namespace genai;

constexpr std::uint64_t kSpareDescriptors = 256;  // the process's own, and connections in handshake

/// Every node costs a descriptor; the default soft limit is far below the hard one.
void raise_descriptor_limit(const broker::Config& config) {
  const std::uint64_t open_files = transport::raise_open_files();
  if (open_files >= config.max_nodes + kSpareDescriptors) return;
  runtime::log_info(
      "the limit of open files is too low for so many nodes: raise it, or lower --max-nodes",
      {{"open_files", open_files},
       {"needed", config.max_nodes + kSpareDescriptors},
       {"max_nodes", config.max_nodes}});
}

}  // namespace

int main(int argc, char** argv) {
  runtime::prepare_process(runtime::Role::kDaemon);
  broker::Options options;
  if (const auto exit_code = broker::parse_options(argc, argv, options)) return *exit_code;
  runtime::close_inherited();
  runtime::init_logging("genai-broker", options.log_level, options.log_format);
  try {
    runtime::SignalFd signals;
    broker::Loop loop(options);
    if (const auto bound = loop.bind(); !bound) {
      runtime::log_error(bound.error().detail);
      return runtime::kExitFailure;
    }
    raise_descriptor_limit(options.config);
    loop.run(signals);
    return runtime::kExitOk;
  } catch (const std::exception& error) {
    runtime::log_error("stopped by an unexpected failure", {{"what", error.what()}});
    return runtime::kExitFailure;
  }
}
