#include "tools/bench/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <set>

#include "protocol/base/limits.h"
#include "protocol/runtime/options.h"
#include "tools/bench/open_loop.h"
#include "tools/bench/placement_scenarios.h"

namespace genai::bench {
namespace {

constexpr const char* kDataDir =
    "Makes folders in DIR and removes them (default: the temporary files' folder)";
constexpr std::size_t kMaxBytes = 1u << 20;
constexpr std::uint64_t kMaxRate = 10'000'000;
constexpr std::uint64_t kMaxDepth = 50'000'000;

/// What the reference and the daemons are both told.
CLI::App& declare_load(CLI::App& app, const char* name, const char* what, RunOptions& o) {
  auto& cmd = *app.add_subcommand(name, what);
  cmd.option_defaults()->always_capture_default();
  auto* window = cmd.add_option("--window", o.windows, "Tasks open at once; a row each")
                     ->check(CLI::Range(1, 1'000'000));
  cmd.add_option("--rate", o.trip.rate,
                 fmt::format("Tasks due per second instead (an open loop): times count from when a "
                             "task is due; more than {} due and not delivered end the row",
                             kMaxOutstanding))
      ->check(CLI::Range(std::uint64_t{1}, kMaxRate))
      ->excludes(window)
      ->default_str("");
  cmd.add_option("--tasks", o.trip.tasks, "Per row, at most")->check(CLI::PositiveNumber);
  cmd.add_option("--seconds", o.trip.seconds, "Per row, at most")->check(CLI::PositiveNumber);
  cmd.add_option("--client-batch", o.trip.batch, "Tasks in one message of a client, at most")
      ->check(CLI::Range(std::size_t{1}, limits::kMaxBatchEntries));
  cmd.add_option("--workers", o.trip.workers,
                 "Connections of nodes (of the reference: 100 at most)")
      ->check(CLI::Range(1, 10'000));
  cmd.add_option("--payload-bytes", o.trip.payload_bytes, "Of each task")
      ->check(CLI::Range(std::size_t{0}, kMaxBytes));
  cmd.add_flag("--json", o.json, "One JSON object instead of a table");
  return cmd;
}

void declare_run(CLI::App& app, RunOptions& options) {
  auto& cmd =
      declare_load(app, "run", "Tasks through broker and dispatcher and back, beside raw", options);
  Trip& o = options.trip;
  auto* store = cmd.add_option("--store", options.stores, "memory or sqlite; rows for each")
                    ->check(CLI::IsMember({"memory", "sqlite"}));
  cmd.add_option("--data-dir", o.data_dir, kDataDir)->check(CLI::ExistingDirectory);
  cmd.add_option("--clients", o.clients, "That share the window")->check(CLI::Range(1, 1000));
  cmd.add_option("--slots", o.slots, "Of each; with --workers, what bounds the tasks under way")
      ->check(CLI::Range(std::uint32_t{1}, limits::kMaxSlots));
  cmd.add_option("--result-bytes", o.result_bytes, "Of each task")
      ->check(CLI::Range(std::size_t{0}, kMaxBytes));
  auto* dispatcher = cmd.add_option("--dispatcher", o.running.dispatcher,
                                    "Use a running one: its --clients-endpoint");
  auto* broker = cmd.add_option("--broker", o.running.broker, "Its broker's --nodes-endpoint");
  auto* depth =
      cmd.add_option("--depth", o.depth, "Tasks that no node can take, queued before each row")
          ->check(CLI::Range(std::uint64_t{0}, kMaxDepth));
  dispatcher->needs(broker)->excludes(store)->excludes(depth);  // they would stay there
  broker->needs(dispatcher);
}

/// One of the two processes of the reference, which starts them.
void declare_hop(CLI::App& app, HopOptions& o) {
  auto& cmd = *app.add_subcommand("hop", "")->group("");
  cmd.add_option("--front", o.front)->required();
  cmd.add_option("--back", o.back)->required();
  cmd.add_flag("--bind-back", o.bind_back);
}

void declare_store(CLI::App& app, StoreOptions& o) {
  auto& cmd = *app.add_subcommand("store", "The durable store alone: whole lives of tasks");
  cmd.option_defaults()->always_capture_default();
  cmd.add_option("--data-dir", o.data_dir, kDataDir)->check(CLI::ExistingDirectory);
  cmd.add_option("--batch", o.batches, "Tasks per commit; a row each")
      ->check(CLI::Range(1, 1'000'000));
  cmd.add_option("--tasks", o.tasks, "Per row, at most")->check(CLI::PositiveNumber);
  cmd.add_option("--seconds", o.seconds, "Per row, at most")->check(CLI::PositiveNumber);
  cmd.add_option("--payload-bytes", o.payload_bytes, "Of each task and of its result")
      ->check(CLI::Range(std::size_t{0}, kMaxBytes));
  cmd.add_flag("--json", o.json, "One JSON object instead of a table");
}

void declare_placement(CLI::App& app, PlacementOptions& o) {
  auto& cmd = *app.add_subcommand(
      "placement", "The choice of nodes against queue length alone, on virtual time");
  std::set<std::string> keys;
  std::string titles;
  for (const Scenario& scenario : placement_scenarios()) {
    keys.emplace(scenario.key);
    titles += fmt::format("\n  {}: {}", scenario.key, scenario.title);
  }
  cmd.footer("Scenarios:" + titles);
  cmd.add_option("scenario", o.scenarios, "Default: all")->check(CLI::IsMember(keys));
  cmd.add_option("--seed", o.seed, "Of all that is random")->capture_default_str();
  cmd.add_flag("--json", o.json, "One JSON object instead of a table");
}

void declare_goals(CLI::App& app, GoalOptions& o) {
  auto& cmd = *app.add_subcommand(
      "goals", "Whether it is as fast as it is meant to be; exits 1 when a goal is missed");
  cmd.add_flag("--quick", o.quick, "One repeat of fewer tasks");
  cmd.add_option("--data-dir", o.data_dir, kDataDir)->check(CLI::ExistingDirectory);
  cmd.add_flag("--json", o.json, "One JSON object instead of a table");
}

void declare_all(CLI::App& app, AllOptions& o) {
  auto& cmd = *app.add_subcommand("all", "The table of the README: raw, memory and sqlite");
  cmd.option_defaults()->always_capture_default();
  cmd.add_option("--repeats", o.repeats, "Each figure is the median of so many")
      ->check(CLI::Range(1, 100));
  cmd.add_option("--tasks", o.tasks, "Per row and repeat, at most")->check(CLI::PositiveNumber);
  cmd.add_option("--seconds", o.seconds, "Per row and repeat, at most")->check(CLI::PositiveNumber);
  cmd.add_option("--data-dir", o.data_dir, kDataDir)->check(CLI::ExistingDirectory);
  cmd.add_flag("--json", o.json, "One JSON object instead of a table");
}

}  // namespace

std::optional<int> parse_options(int argc, char** argv, Options& options) {
  CLI::App app("Measures the dispatcher on this machine.", "genai-bench");
  app.set_version_flag("--version", "genai-bench " + std::string(runtime::kVersion));
  app.require_subcommand(1);
  declare_run(app, options.run);
  declare_load(app, "raw",
               "The reference: as many messages through two processes that only forward",
               options.raw);
  declare_hop(app, options.hop);
  declare_store(app, options.store);
  declare_placement(app, options.placement);
  declare_goals(app, options.goals);
  declare_all(app, options.all);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) != 0) return runtime::kExitUsage;
    if (std::cout.flush()) return runtime::kExitOk;
    std::cerr << "genai-bench: cannot write to stdout\n";
    return runtime::kExitFailure;
  }
  if (app.got_subcommand("raw")) options.command = Command::kRaw;
  if (app.got_subcommand("hop")) options.command = Command::kHop;
  if (app.got_subcommand("store")) options.command = Command::kStore;
  if (app.got_subcommand("placement")) options.command = Command::kPlacement;
  if (app.got_subcommand("goals")) options.command = Command::kGoals;
  if (app.got_subcommand("all")) options.command = Command::kAll;
  return std::nullopt;
}

}  // namespace genai::bench
