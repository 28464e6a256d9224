// genai-dispatcher: takes tasks, places them, keeps their results.
#include <exception>

#include "dispatcher/loop.h"
#include "dispatcher/options.h"
#include "protocol/process/logging.h"
#include "protocol/process/options.h"
#include "protocol/process/signals.h"

int main(int argc, char** argv) {
  using namespace genai;
  dispatcher::ProgramOptions options;
  if (const auto exit_code = dispatcher::parse_options(argc, argv, options)) return *exit_code;
  process::init_logging("genai-dispatcher", options.log_level, options.log_format);
  try {
    process::SignalFd signals;
    dispatcher::Loop loop(options);
    if (const auto bound = loop.bind(); !bound) {
      process::log_error(bound.error().detail);
      return process::kExitFailure;
    }
    return loop.run(signals) ? process::kExitOk : process::kExitFailure;
  } catch (const std::exception& error) {
    process::log_error("stopped by an unexpected failure", {{"what", error.what()}});
    return process::kExitFailure;
  }
}
