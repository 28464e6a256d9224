// genai-bench: how fast it is, each figure beside a reference of the same run.
#include <cstdio>
#include <iostream>

#include "protocol/runtime/options.h"
#include "protocol/runtime/startup.h"
#include "protocol/transport/system.h"
#include "tools/bench/options.h"
#include "tools/bench/raw_proxy.h"

int main(int argc, char** argv) {
  using namespace genai;
  runtime::prepare_process(runtime::Role::kTool);
  bench::Options options;
  if (const auto exit_code = bench::parse_options(argc, argv, options)) return *exit_code;
  try {
    if (options.command == bench::Command::kHop) {
      bench::run_hop(options.hop.front, options.hop.back, options.hop.bind_back);
      return runtime::kExitOk;
    }
    transport::raise_open_files();  // a node costs a descriptor
    const bench::Interrupt interrupt;
    bool met = true;
    switch (options.command) {
      case bench::Command::kHop:
        break;
      case bench::Command::kRun:
        bench::run_tasks(options.run, interrupt);
        break;
      case bench::Command::kRaw:
        bench::run_raw(options.raw, interrupt);
        break;
      case bench::Command::kStore:
        bench::run_store(options.store, interrupt);
        break;
      case bench::Command::kPlacement:
        bench::run_placement(options.placement, std::cout, [&] { interrupt.check(); });
        break;
      case bench::Command::kGoals:
        met = bench::run_goals(options.goals, interrupt);
        break;
      case bench::Command::kAll:
        bench::run_all(options.all, interrupt);
        break;
    }
    if (!std::cout.flush() || std::fflush(stdout) != 0)
      throw std::runtime_error("cannot write to stdout");
    return met ? runtime::kExitOk : runtime::kExitFailure;
  } catch (const std::exception& error) {
    std::cerr << "genai-bench: " << error.what() << '\n';
    return runtime::kExitFailure;
  }
}
