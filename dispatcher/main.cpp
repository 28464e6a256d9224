// genai-dispatcher: takes tasks, places them, keeps their results.
#include <unistd.h>

#include <exception>
#include <string>

#include "dispatcher/loop.h"
#include "dispatcher/options.h"
#include "protocol/runtime/logging.h"
#include "protocol/runtime/options.h"
#include "protocol/runtime/signals.h"
#include "protocol/runtime/startup.h"
#include "protocol/transport/system.h"

namespace {

/// Of the store's lease, for people.
std::string owner_name() {
  char host[256] = {};
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  return "process " + std::to_string(getpid()) + " on " + host;
}

int refuse(const genai::dispatcher::store::StoreError& error) {
  genai::runtime::log_error(error.detail);
  return genai::dispatcher::store::exit_code(error.failure);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace genai;
  runtime::prepare_process(runtime::Role::kDaemon);
  dispatcher::Options options;
  if (const auto exit_code = dispatcher::parse_options(argc, argv, options)) return *exit_code;
  runtime::close_inherited();
  runtime::init_logging("genai-dispatcher", options.log_level, options.log_format);
  try {
    runtime::SignalFd signals;
    auto start =
        dispatcher::store::start(options.store, owner_name(), to_ms(transport::read_clock().wall));
    if (!start) return refuse(start.error());
    dispatcher::Loop loop(options, std::move(*start));
    if (const auto loaded = loop.load(); !loaded) return refuse(loaded.error());
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
