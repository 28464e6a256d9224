// genai-bench: how fast it is, each figure beside a reference of the same run.
#include <CLI/CLI.hpp>
#include <iostream>

#include "protocol/process/options.h"
#include "tools/bench/run_bench.h"
#include "tools/bench/store_bench.h"

int main(int argc, char** argv) {
  using namespace genai;
  CLI::App app("Measures the dispatcher on this machine.", "genai-bench");
  app.set_version_flag("--version", std::string("genai-bench ") + std::string(process::kVersion));
  app.require_subcommand(1);

  bench::RunOptions run;
  CLI::App& run_app = *app.add_subcommand("run", "Tasks through broker and dispatcher and back");
  run_app.add_option("--window", run.windows, "Tasks open at once (repeatable)")
      ->check(CLI::Range(1, 1'000'000));
  run_app.add_option("--store", run.stores, "memory or sqlite (repeatable)")
      ->check(CLI::IsMember({"memory", "sqlite"}));
  run_app.add_option("--data-dir", run.data_dir, "Where to make the store's folder");
  run_app.add_option("--tasks", run.tasks, "Tasks per row, at most")->check(CLI::PositiveNumber);
  run_app.add_option("--seconds", run.seconds, "Time per row, at most")->check(CLI::PositiveNumber);
  run_app.add_option("--client-batch", run.batch, "Tasks in one SUBMIT, at most")
      ->check(CLI::Range(1, 4096));
  run_app.add_option("--workers", run.workers, "Connections of nodes")->check(CLI::Range(1, 1000));
  run_app.add_option("--slots", run.slots, "Of each node")->check(CLI::Range(1, 1024));
  run_app.add_option("--payload-bytes", run.payload_bytes)->check(CLI::Range(0, 1 << 20));
  run_app.add_option("--result-bytes", run.result_bytes)->check(CLI::Range(0, 1 << 20));
  run_app.add_flag("--json", run.json, "One JSON object instead of a table");

  bench::StoreOptions store;
  CLI::App& store_app = *app.add_subcommand("store", "The durable store alone");
  store_app.add_option("--data-dir", store.data_dir, "Where to make the store's folder");
  store_app.add_option("--batch", store.batches, "Tasks per commit (repeatable)")
      ->check(CLI::Range(1, 1'000'000));
  store_app.add_option("--tasks", store.tasks, "Tasks per row, at most")
      ->check(CLI::PositiveNumber);
  store_app.add_option("--seconds", store.seconds, "Time per row, at most")
      ->check(CLI::PositiveNumber);
  store_app.add_option("--payload-bytes", store.payload_bytes)->check(CLI::Range(0, 1 << 20));
  store_app.add_flag("--json", store.json, "One JSON object instead of a table");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? process::kExitOk : process::kExitUsage;
  }
  try {
    return run_app.parsed() ? bench::run_tasks(run) : bench::run_store(store);
  } catch (const std::exception& error) {
    std::cerr << "genai-bench: " << error.what() << '\n';
    return process::kExitFailure;
  }
}
