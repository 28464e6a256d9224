// genai-broker: sessions and liveness of the client nodes.
#include <cstdint>
#include <exception>

#include "broker/loop.h"
#include "broker/options.h"
#include "protocol/process/logging.h"
#include "protocol/process/signals.h"
#include "protocol/process/startup.h"
#include "protocol/transport/system.h"

namespace {

using namespace genai;

constexpr std::uint64_t kSpareDescriptors = 256;  // the process's own, and connections in handshake

/// Every node costs a descriptor; the default soft limit is far below the hard one.
void raise_descriptor_limit(const broker::Config& config) {
  const std::uint64_t open_files = transport::raise_open_files();
  if (open_files >= config.max_nodes + kSpareDescriptors) return;
  process::log_info(
      "the limit of open files is too low for so many nodes: raise it, or lower --max-nodes",
      {{"open_files", open_files},
       {"needed", config.max_nodes + kSpareDescriptors},
       {"max_nodes", config.max_nodes}});
}

}  // namespace

int main(int argc, char** argv) {
  process::prepare_process(process::Role::kDaemon);
  broker::Config config;
  if (const auto exit_code = broker::parse_options(argc, argv, config)) return *exit_code;
  process::close_inherited();
  process::init_logging("genai-broker", config.log_level, config.log_format);
  try {
    process::SignalFd signals;
    broker::Loop loop(config);
    if (const auto bound = loop.bind(); !bound) {
      process::log_error(bound.error().detail);
      return process::kExitFailure;
    }
    raise_descriptor_limit(config);
    loop.run(signals);
    return process::kExitOk;
  } catch (const std::exception& error) {
    process::log_error("stopped by an unexpected failure", {{"what", error.what()}});
    return process::kExitFailure;
  }
}
