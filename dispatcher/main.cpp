// genai-dispatcher: takes tasks, places them, keeps their results.
#include <exception>

#include "dispatcher/loop.h"
#include "dispatcher/options.h"
#include "protocol/runtime/logging.h"
#include "protocol/runtime/options.h"
#include "protocol/runtime/signals.h"
#include "protocol/runtime/startup.h"
#include "protocol/transport/system.h"

int main(int argc, char** argv) {
  using namespace genai;
  runtime::prepare_process(runtime::Role::kDaemon);
  dispatcher::Options options;
  if (const auto exit_code = dispatcher::parse_options(argc, argv, options)) return *exit_code;
  runtime::close_inherited();
  runtime::init_logging("genai-dispatcher", options.log_level, options.log_format);
  try {
    runtime::SignalFd signals;
    auto start = dispatcher::store::start(options.store, to_ms(transport::read_clock().wall));
    if (!start) {
      runtime::log_error(start.error().detail);
      return dispatcher::store::exit_code(start.error().failure);
    }
    dispatcher::Loop loop(options, std::move(*start));
    if (const auto bound = loop.bind(); !bound) {
      runtime::log_error(bound.error().detail);
      return runtime::kExitFailure;
    }
    return loop.run(signals);
  } catch (const std::exception& error) {
    runtime::log_error("stopped by an unexpected failure", {{"what", error.what()}});
    return runtime::kExitFailure;
  }
}
