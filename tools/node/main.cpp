// genai-node: the ready client node.
#include <exception>

#include "protocol/runtime/logging.h"
#include "protocol/runtime/signals.h"
#include "protocol/runtime/startup.h"
#include "tools/node/drain_signals.h"
#include "tools/node/event_log.h"
#include "tools/node/fitness.h"
#include "tools/node/init.h"
#include "tools/node/program_options.h"
#include "tools/node/scratch.h"
#include "tools/node/supervisor.h"

namespace {

using namespace genai;
using Phase = runtime::DrainState::Phase;

void log_start(const node::Options& options) {
  const node::NodeConfig& config = options.node;
  runtime::log_info("node starts", {{"node_id", config.node_id},
                                    {"broker", config.broker_endpoint},
                                    {"slots", config.slots},
                                    {"ncpu", config.ncpu},
                                    {"ram_mib", config.ram_mib},
                                    {"gpu_type", config.gpu_type},
                                    {"vram_mib", config.vram_mib}});
  if (!options.default_id.why_not_kept.empty())
    runtime::log_warn("the node id is new at each start; --node-id gives it one",
                      {{"reason", options.default_id.why_not_kept}});
}

/// Before the first command is run.
void prepare_exec(const std::string& command) {
  node::adopt_orphans();
  if (const std::size_t folders = node::sweep_scratch(); folders > 0)
    runtime::log_info("removed what a killed node left behind", {{"folders", folders}});
  // It may be mended while the node runs, so the node serves, and gives back what it cannot run.
  if (const auto problem = node::fitness_problem(command))
    runtime::log_error("no task can be run here", {{"reason", *problem}});
}

int serve(const node::Options& options, runtime::SignalFd& signals) {
  node::EventLog log;
  node::Node node(
      options.node,
      options.is_echo ? node::echo_handler(options.echo) : node::exec_handler(options.exec),
      [&](const node::Event& event) { log.write(event); });
  const node::DrainSignals drain(signals, [&](Phase phase) {
    phase == Phase::kForced ? node.force() : node.leave("told to stop by a signal");
  });
  const node::RunEnd end = node.run();
  if (end.kind == node::RunEnd::Kind::kLeft) return runtime::kExitOk;
  runtime::log_error("stopped", {{"reason", end.text}});
  return runtime::kExitFailure;
}

}  // namespace

int main(int argc, char** argv) {
  runtime::prepare_process(runtime::Role::kDaemon);
  if (const auto exit_code = node::become_init()) return *exit_code;
  node::Options options;
  if (const auto exit_code = node::parse_options(argc, argv, options)) return *exit_code;
  runtime::close_inherited();
  runtime::init_logging("genai-node", options.log_level, options.log_format);
  try {
    runtime::SignalFd signals;
    if (!options.is_echo) prepare_exec(options.exec.command);
    node::complete_with_machine(options);
    log_start(options);
    return serve(options, signals);
  } catch (const std::exception& error) {
    runtime::log_error("stopped by an unexpected failure", {{"what", error.what()}});
    return runtime::kExitFailure;
  }
}
