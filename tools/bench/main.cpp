// genai-bench: how fast it is, each figure beside a reference of the same run.
#include <cstdio>
#include <iostream>

#include "protocol/process/options.h"
#include "tools/bench/options.h"

int main(int argc, char** argv) {
  using namespace genai;
  bench::Options options;
  if (const auto exit_code = bench::parse_options(argc, argv, options)) return *exit_code;
  try {
    const bench::Interrupt interrupt;
    switch (options.command) {
      case bench::Command::kRun:
        bench::run_tasks(options.run, interrupt);
        break;
      case bench::Command::kStore:
        bench::run_store(options.store, interrupt);
        break;
      case bench::Command::kPlacement:
        bench::run_placement(options.placement, std::cout, [&] { interrupt.check(); });
        break;
    }
    if (!std::cout.flush() || std::fflush(stdout) != 0)
      throw std::runtime_error("cannot write to stdout");
    return process::kExitOk;
  } catch (const std::exception& error) {
    std::cerr << "genai-bench: " << error.what() << '\n';
    return process::kExitFailure;
  }
}
