#include "tools/bench/options.h"

#include <fmt/format.h>

#include <map>

#include "protocol/base/limits.h"
#include "protocol/runtime/command_line.h"
#include "tools/bench/open_loop.h"
#include "tools/bench/placement_scenarios.h"

namespace genai::bench {
namespace {

using runtime::Choices;
using runtime::CommandLine;
using runtime::ExistingFolder;
using runtime::Range;

constexpr const char* kDataDir =
    "Makes folders in DIR and removes them (default: the temporary files' folder)";
constexpr std::size_t kMaxBytes = 1u << 20;
constexpr std::uint64_t kMaxRate = 10'000'000;
constexpr std::uint64_t kMaxDepth = 50'000'000;
const Range kPositive(1, INT64_MAX);
const Range kSeconds = Range::at_least(0.001);

/// What the reference and the daemons are both told.
runtime::Command declare_load(const runtime::Command& app, const char* name, const char* what,
                              RunOptions& o) {
  const runtime::Command cmd = app.subcommand(name, what);
  const auto rate =
      cmd.option("rate", o.trip.rate,
                 fmt::format("Tasks due per second instead (an open loop): times count from when a "
                             "task is due; more than {} due and not delivered end the row",
                             kMaxOutstanding),
                 Range(1, kMaxRate));
  cmd.show_defaults();
  cmd.option("window", o.windows, "Tasks open at once; a row each", Range(1, 1'000'000))
      .excludes(rate);
  cmd.option("tasks", o.trip.tasks, "Per row, at most", kPositive);
  cmd.option("seconds", o.trip.seconds, "Per row, at most", kSeconds);
  cmd.option("client-batch", o.trip.batch, "Tasks in one message of a client, at most",
             Range(1, limits::kMaxBatchEntries));
  cmd.option("workers", o.trip.workers, "Connections of nodes (of the reference: 100 at most)",
             Range(1, 10'000));
  cmd.option("payload-bytes", o.trip.payload_bytes, "Of each task", Range(0, kMaxBytes));
  cmd.option("json", o.json, "One JSON object instead of a table");
  return cmd;
}

void declare_run(const runtime::Command& app, RunOptions& options) {
  const auto cmd =
      declare_load(app, "run", "Tasks through broker and dispatcher and back, beside raw", options);
  Trip& o = options.trip;
  const auto store = cmd.option("store", options.stores, "memory or sqlite; rows for each",
                                Choices{{"memory", "sqlite"}});
  cmd.option("data-dir", o.data_dir, kDataDir, ExistingFolder());
  cmd.option("clients", o.clients, "That share the window", Range(1, 1000));
  cmd.option("slots", o.slots, "Of each; with --workers, what bounds the tasks under way",
             Range(1, limits::kMaxSlots));
  cmd.option("result-bytes", o.result_bytes, "Of each task", Range(0, kMaxBytes));
  const auto dispatcher =
      cmd.option("dispatcher", o.running.dispatcher, "Use a running one: its --clients-endpoint");
  const auto broker = cmd.option("broker", o.running.broker, "Its broker's --nodes-endpoint");
  const auto depth = cmd.option(
      "depth", o.depth, "Tasks that no node can take, queued before each row", Range(0, kMaxDepth));
  dispatcher.needs(broker).excludes(store).excludes(depth);  // they would stay there
  broker.needs(dispatcher);
}

/// One of the two processes of the reference, which starts them.
void declare_hop(const runtime::Command& app, HopOptions& o) {
  const runtime::Command cmd = app.subcommand("hop", "");
  cmd.hide();
  cmd.option("front", o.front, "").required();
  cmd.option("back", o.back, "").required();
  cmd.option("bind-back", o.bind_back, "");
}

void declare_store(const runtime::Command& app, StoreOptions& o) {
  const runtime::Command cmd =
      app.subcommand("store", "The durable store alone: whole lives of tasks");
  cmd.show_defaults();
  cmd.option("data-dir", o.data_dir, kDataDir, ExistingFolder());
  cmd.option("batch", o.batches, "Tasks per commit; a row each", Range(1, 1'000'000));
  cmd.option("tasks", o.tasks, "Per row, at most", kPositive);
  cmd.option("seconds", o.seconds, "Per row, at most", kSeconds);
  cmd.option("payload-bytes", o.payload_bytes, "Of each task and of its result",
             Range(0, kMaxBytes));
  cmd.option("json", o.json, "One JSON object instead of a table");
}

void declare_placement(const runtime::Command& app, PlacementOptions& o) {
  const runtime::Command cmd = app.subcommand(
      "placement", "The choice of nodes against queue length alone, on virtual time");
  std::vector<std::string> keys;
  std::string titles;
  for (const Scenario& scenario : placement_scenarios()) {
    keys.emplace_back(scenario.key);
    titles += fmt::format("\n  {}: {}", scenario.key, scenario.title);
  }
  cmd.footer("Scenarios:" + titles);
  cmd.argument("scenario", o.scenarios, "Default: all", Choices{keys});
  cmd.option("seed", o.seed, "Of all that is random");
  cmd.option("json", o.json, "One JSON object instead of a table");
}

void declare_goals(const runtime::Command& app, GoalOptions& o) {
  const runtime::Command cmd = app.subcommand(
      "goals", "Whether it is as fast as it is meant to be; exits 1 when a goal is missed");
  cmd.option("quick", o.quick, "One repeat of fewer tasks");
  cmd.option("data-dir", o.data_dir, kDataDir, ExistingFolder());
  cmd.option("json", o.json, "One JSON object instead of a table");
}

void declare_all(const runtime::Command& app, AllOptions& o) {
  const runtime::Command cmd =
      app.subcommand("all", "The table of the README: raw, memory and sqlite");
  cmd.show_defaults();
  cmd.option("repeats", o.repeats, "Each figure is the median of so many", Range(1, 100));
  cmd.option("tasks", o.tasks, "Per row and repeat, at most", kPositive);
  cmd.option("seconds", o.seconds, "Per row and repeat, at most", kSeconds);
  cmd.option("data-dir", o.data_dir, kDataDir, ExistingFolder());
  cmd.option("json", o.json, "One JSON object instead of a table");
}

}  // namespace

std::optional<int> parse_options(int argc, char** argv, Options& options) {
  CommandLine line("genai-bench", "Measures the dispatcher on this machine.");
  const runtime::Command app = line.program();
  app.require_subcommand();
  declare_run(app, options.run);
  declare_load(app, "raw",
               "The reference: as many messages through two processes that only forward",
               options.raw);
  declare_hop(app, options.hop);
  declare_store(app, options.store);
  declare_placement(app, options.placement);
  declare_goals(app, options.goals);
  declare_all(app, options.all);
  if (const auto exit_code = line.parse(argc, argv)) return exit_code;
  static const std::map<std::string, Command> kCommands = {{"run", Command::kRun},
                                                           {"raw", Command::kRaw},
                                                           {"hop", Command::kHop},
                                                           {"store", Command::kStore},
                                                           {"placement", Command::kPlacement},
                                                           {"goals", Command::kGoals},
                                                           {"all", Command::kAll}};
  options.command = kCommands.at(line.given_command());
  return std::nullopt;
}

}  // namespace genai::bench
