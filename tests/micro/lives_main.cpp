// genai-lives: allocations per task of both cores, and whether they keep to what is recorded.
#include <fmt/format.h>

#include <iostream>

#include "protocol/runtime/command_line.h"
#include "tests/micro/lives.h"

int main(int argc, char** argv) {
  std::uint64_t tasks = 20'000;
  double broker_bound = 0, dispatcher_bound = 0;
  genai::runtime::CommandLine line(
      "genai-lives",
      "Allocations of broker and dispatcher for each task, from submission to acknowledged result");
  const genai::runtime::Command program = line.program();
  program.show_defaults();
  const auto bound = genai::runtime::Range::at_least(0);
  program.option("tasks", tasks, "After as many that are not counted");
  program.option("broker-bound", broker_bound, "Fails above it (0: never)", bound);
  program.option("dispatcher-bound", dispatcher_bound, "Likewise", bound);
  if (const auto exit_code = line.parse(argc, argv)) return *exit_code;
  bool within = true;
  const auto report = [&](const char* name, std::uint64_t count, double bound) {
    const double each = static_cast<double>(count) / static_cast<double>(tasks);
    const bool is_within = bound == 0 || each <= bound;
    std::cout << fmt::format(
        "{}: {:.2f} allocations a task{}\n", name, each,
        bound == 0 ? "" : fmt::format(", bound {}: {}", bound, is_within ? "kept" : "BROKEN"));
    within &= is_within;
  };
  genai::micro::Lives lives({});
  lives.run(tasks);
  const genai::micro::Allocations warm = lives.allocations();
  lives.run(tasks);
  report("broker", lives.allocations().broker - warm.broker, broker_bound);
  report("dispatcher", lives.allocations().dispatcher - warm.dispatcher, dispatcher_bound);
  return within ? 0 : 1;
}
