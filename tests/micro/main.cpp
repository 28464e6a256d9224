// genai-microbench: what one placement costs the dispatcher, by the size of the fleet.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/micro/busy_fleet.h"

namespace {

using genai::micro::BusyFleet;
using Clock = std::chrono::steady_clock;

/// Made once: the library calls a benchmark again with more and more iterations.
BusyFleet& fleet_of(const BusyFleet::Shape& shape) {
  static BusyFleet::Shape made;
  static std::unique_ptr<BusyFleet> fleet;
  if (!fleet || made != shape) {
    fleet.reset();  // before the next takes its memory
    fleet = std::make_unique<BusyFleet>(made = shape);
  }
  return *fleet;
}

/// A task ends, another comes, and there is a pass. The time is that of the end and of the pass;
/// place_ns and end_ns are its parts, worst_us is the longest pass.
void turn(benchmark::State& state, BusyFleet::Shape shape) {
  BusyFleet& fleet = fleet_of(shape);
  Clock::duration placing{0}, ending{0}, worst{0};
  for (auto _ : state) {
    fleet.advance();
    const auto start = Clock::now();
    fleet.end();
    const auto ended = Clock::now();
    fleet.submit();
    const auto submitted = Clock::now();
    fleet.place();
    const auto done = Clock::now();
    ending += ended - start;
    placing += done - submitted;
    worst = std::max(worst, done - submitted);
    state.SetIterationTime(
        std::chrono::duration<double>(ended - start + (done - submitted)).count());
  }
  const auto ns = [](Clock::duration d) {
    return std::chrono::duration<double, std::nano>(d).count();
  };
  state.counters["place_ns"] = {ns(placing), benchmark::Counter::kAvgIterations};
  state.counters["end_ns"] = {ns(ending), benchmark::Counter::kAvgIterations};
  state.counters["worst_us"] = ns(worst) / 1000;
}

void add(const char* name, BusyFleet::Shape shape, const std::vector<std::int64_t>& sizes) {
  for (const auto size : sizes) {
    shape.providers = static_cast<std::size_t>(size);
    const std::string full_name = std::string(name) + "/providers:" + std::to_string(size);
    benchmark::RegisterBenchmark(full_name.c_str(), turn, shape)->UseManualTime();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::int64_t> sizes{10, 1000, 10'000, 100'000};
  add("queue/unknown", {.queued = 1000, .known = false}, sizes);
  add("queue/known", {.queued = 1000}, sizes);
  add("queue/known/classes:10", {.queued = 1000, .classes = 10}, sizes);
  add("free/unknown", {.known = false, .busy = 0.5}, sizes);
  add("free/known", {.busy = 0.5}, sizes);
  add("free/known/classes:10", {.classes = 10, .busy = 0.5}, sizes);
  add("million/known", {.queued = 1'000'000}, sizes);
  add("million/known/classes:10", {.queued = 1'000'000, .classes = 10}, sizes);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
