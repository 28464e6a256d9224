// Runs simulated fleets, one per seed, and says of each that fails how to see it again.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "plants.h"
#include "protocol/runtime/command_line.h"
#include "world.h"

namespace genai::sim {
namespace {

struct Arguments {
  std::uint64_t seeds = 100;
  std::uint64_t first = 1;
  bool trace = false;
  bool counts = false;
  bool require_all = false;
  std::optional<std::uint32_t> plant;  // which bug; then the first failure ends the run
};

struct Totals {
  std::uint64_t steps = 0, events = 0, failures = 0;
  std::array<std::uint64_t, kFaults> faults{};
  Coverage coverage;
};

volatile std::uint64_t running_seed = 0;

/// An assertion of the cores: the one thing that is not a Failure.
void on_abort(int) {
  char text[128];
  const int n = std::snprintf(text, sizeof text,
                              "seed %llu: an assertion failed\nreplay: genai-sim --seeds 1 --first "
                              "%llu --trace\n",
                              static_cast<unsigned long long>(running_seed),
                              static_cast<unsigned long long>(running_seed));
  if (n > 0 && write(STDOUT_FILENO, text, static_cast<std::size_t>(n)) < 0) _exit(3);
  _exit(1);
}

void print(const Trace& trace) {
  for (const std::string& line : trace.lines()) fmt::print("{}\n", line);
}

/// The failure, or nothing.
std::optional<std::string> run_seed(std::uint64_t seed, Trace::Mode mode, Totals* totals) {
  World world(seed, mode);
  std::optional<std::string> failure;
  try {
    world.run();
  } catch (const Failure& broken) {
    failure = broken.what();
  }
  const Environment& env = world.environment();
  print(env.trace);
  if (totals) {
    totals->steps += env.scheduler.steps();
    totals->events += env.frames;
    totals->coverage.add(env.coverage);
    for (std::size_t i = 0; i < kFaults; ++i) totals->faults[i] += env.faults.counts()[i];
    totals->failures += failure.has_value();
  }
  return failure;
}

bool print_counts(const Totals& totals, bool show) {
  bool all = true;
  const auto line = [&](std::string_view kind, std::string_view what, std::uint64_t times) {
    if (show) fmt::print("{:9} {:32} {}\n", kind, what, times);
    if (times > 0) return;
    all = false;
    fmt::print("never reached: {} {}\n", kind, what);
  };
  for (std::size_t i = 0; i < kFaults; ++i)
    line("fault", name(static_cast<Fault>(i)), totals.faults[i]);
  for (const auto& [what, times] : totals.coverage.counts()) line("reached", what, times);
  return all;
}

int run(const Arguments& arguments) {
  Totals totals;
  const auto mode = arguments.trace ? Trace::Mode::kPrint : Trace::Mode::kOff;
  for (std::uint64_t i = 0; i < arguments.seeds; ++i) {
    const std::uint64_t seed = arguments.first + i;
    running_seed = seed;
    const auto failure = run_seed(seed, mode, &totals);
    if (!failure) continue;
    if (arguments.plant) return fmt::print("seed {}: {}\n", seed, *failure), 1;
    if (!arguments.trace) run_seed(seed, Trace::Mode::kKeep, nullptr);
    fmt::print("seed {}: {}\nreplay: genai-sim --seeds 1 --first {} --trace\n", seed, *failure,
               seed);
    std::fflush(stdout);
  }
  const bool all = !(arguments.counts || arguments.require_all) ||
                   print_counts(totals, arguments.counts) || !arguments.require_all;
  fmt::print("{} seeds, {} steps, {} events, {} failures\n", arguments.seeds, totals.steps,
             totals.events, totals.failures);
  return totals.failures == 0 && all ? 0 : 1;
}

void declare(const runtime::Command& program, Arguments& arguments) {
  program.show_defaults();
  program.option("seeds", arguments.seeds, "How many simulated fleets to run, one per seed");
  program.option("first", arguments.first, "The first seed");
  program.option("trace", arguments.trace, "Print what happens in each");
  program.option("counts", arguments.counts,
                 "Print how often each fault and each transition was reached");
  program.option("require-all", arguments.require_all, "Fail when one of them never was");
  program.option("plant", arguments.plant,
                 "genai-sim-planted: with that bug of planted.h; ends at the first failure, with 3 "
                 "when there is no such bug");
}

}  // namespace
}  // namespace genai::sim

int main(int argc, char** argv) {
  genai::runtime::CommandLine line(
      "genai-sim",
      "Runs simulated fleets. Exits 0 only when every invariant held in every step under every "
      "seed.");
  genai::sim::Arguments arguments;
  genai::sim::declare(line.program(), arguments);
  if (const auto exit_code = line.parse(argc, argv)) return *exit_code;
  if (arguments.plant && !genai::sim::plant(*arguments.plant)) return 3;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::signal(SIGABRT, genai::sim::on_abort);
  return genai::sim::run(arguments);
}
