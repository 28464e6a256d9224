// Runs simulated fleets, one per seed, and says of each that fails how to see it again.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/planted.h"
#include "world.h"

#ifdef GENAI_PLANT_BUGS
genai::Planted genai::planted = genai::Planted::kNone;
#endif

namespace genai::sim {
namespace {

struct Arguments {
  std::uint64_t seeds = 100;
  std::uint64_t first = 1;
  bool trace = false;
  bool counts = false;
  bool require_all = false;
  bool stop = false;  // at the first failure
};

struct Totals {
  std::uint64_t steps = 0, events = 0, failures = 0;
  std::array<std::uint64_t, kFaults> faults{};
  Coverage coverage;
};

#ifdef GENAI_PLANT_BUGS
#define GENAI_SIM_PLANT_USAGE \
  "  --plant N      with bug number N of planted.h; exits 3 when there is none\n"
#else
#define GENAI_SIM_PLANT_USAGE ""
#endif
constexpr const char* kUsage =
    "usage: genai-sim [--seeds N] [--first S] [--trace] [--counts] [--require-all]\n"
    "  --seeds N      how many simulated fleets to run, one per seed (default 100)\n"
    "  --first S      the first seed (default 1)\n"
    "  --trace        print what happened in each\n"
    "  --counts       print how often each fault and each transition was reached\n"
    "  --require-all  fail when one of them never was\n" GENAI_SIM_PLANT_USAGE
    "Exits 0 only when every invariant held in every step under every seed.\n";

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
    if (arguments.stop) return fmt::print("seed {}: {}\n", seed, *failure), 1;
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

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  const auto number = [&](int& i) -> std::optional<std::uint64_t> {
    if (++i >= argc) return std::nullopt;
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(argv[i], &end, 10);
    if (end == argv[i] || *end != '\0') return std::nullopt;
    return value;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    std::optional<std::uint64_t> value;
    if (word == "--trace") {
      arguments.trace = true;
    } else if (word == "--counts") {
      arguments.counts = true;
    } else if (word == "--require-all") {
      arguments.require_all = true;
#ifdef GENAI_PLANT_BUGS
    } else if (word == "--plant" && (value = number(i))) {
      if (*value >= static_cast<std::uint64_t>(Planted::kCount)) std::exit(3);
      planted = static_cast<Planted>(*value);
      arguments.stop = true;
#endif
    } else if (word == "--seeds" && (value = number(i))) {
      arguments.seeds = *value;
    } else if (word == "--first" && (value = number(i))) {
      arguments.first = *value;
    } else {
      return std::nullopt;
    }
  }
  return arguments;
}

}  // namespace
}  // namespace genai::sim

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(genai::sim::kUsage, stdout);
    return 0;
  }
  const auto arguments = genai::sim::parse(argc, argv);
  if (!arguments) {
    std::fputs(genai::sim::kUsage, stderr);
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::signal(SIGABRT, genai::sim::on_abort);
  return genai::sim::run(*arguments);
}
