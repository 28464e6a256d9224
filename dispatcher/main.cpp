// genai-dispatcher: takes tasks, places them, keeps their results.
#include <exception>

#include "dispatcher/loop.h"
#include "dispatcher/options.h"
#include "protocol/process/logging.h"
#include "protocol/process/options.h"
#include "protocol/process/signals.h"
#include "protocol/process/startup.h"
#include "protocol/transport/system.h"

int main(int argc, char** argv) {
  using namespace genai;
  process::prepare_process(process::Role::kDaemon);
  dispatcher::ProgramOptions options;
  if (const auto exit_code = dispatcher::parse_options(argc, argv, options)) return *exit_code;
  process::close_inherited();
  process::init_logging("genai-dispatcher", options.log_level, options.log_format);
  try {
    process::SignalFd signals;
    auto start = dispatcher::store::start(options.store, to_ms(transport::read_clock().wall));
    if (!start) {
      process::log_error(start.error().detail);
      return dispatcher::store::exit_code(start.error().failure);
    }
    dispatcher::Loop loop(options, std::move(*start));
    if (const auto bound = loop.bind(); !bound) {
      process::log_error(bound.error().detail);
      return process::kExitFailure;
    }
    return loop.run(signals);
  } catch (const std::exception& error) {
    process::log_error("stopped by an unexpected failure", {{"what", error.what()}});
    return process::kExitFailure;
  }
}
