#include "tools/bench/store_bench.h"

#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "dispatcher/store/sqlite/sqlite_store.h"
#include "protocol/wire/codec.h"
#include "tools/bench/children.h"
#include "tools/bench/disk_probe.h"
#include "tools/bench/table.h"

namespace genai::bench {
namespace {

using namespace dispatcher;
using namespace dispatcher::store;
using Clock = std::chrono::steady_clock;

// Fetched tasks kept, as the dispatcher's history.
constexpr std::uint64_t kHistory = 20'000;
constexpr std::uint64_t kAtMs = 1'763'900'000'000;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Batches in which tasks are accepted, complete, are fetched and are forgotten, each one batch
/// after the step before; the last one later, when the history is full.
class Lives {
 public:
  explicit Lives(std::size_t payload_bytes)
      : spec_(make_spec({}, {})),
        payload_(std::string(payload_bytes, 'p')),
        result_(std::string(payload_bytes, 'r')) {}

  Batch next(std::size_t size) {
    Batch batch;
    for (std::size_t i = 0; i < size; ++i) {
      const std::uint64_t newest = ++sequence_;
      batch.added.push_back(accepted(newest));
      if (newest > size) batch.changed.push_back(completed(newest - size));
      if (newest > 2 * size) batch.fetched.push_back(newest - 2 * size);
      if (newest > kHistory + 2 * size) batch.erased.push_back(newest - 2 * size - kHistory);
    }
    return batch;
  }

 private:
  TaskRecord accepted(std::uint64_t sequence) const {
    TaskRecord task;
    task.sequence = sequence;
    task.id = *TaskId::parse(fmt::format("01a20ac4-f4b8-72df-99b9-{:012}", sequence));
    task.digest = content_digest(spec_.raw, payload_.view());
    task.spec = KeptSpec(TaskSpec(spec_));
    task.created_ms = kAtMs;
    task.status = TaskStatus::kScheduled;
    task.current = 1;
    task.issued = {{1, kAtMs, SessionId(), node_}};
    task.log = {{kAtMs, TaskStatus::kUnscheduled, "accepted", {}, 0},
                {kAtMs, TaskStatus::kScheduled, "least loaded", node_, 1}};
    task.payload = payload_;
    return task;
  }
  Batch::Change completed(std::uint64_t sequence) const {
    TaskRecord task = accepted(sequence);
    task.status = TaskStatus::kCompleted;
    task.current = 0;
    task.ended_ms = kAtMs + 1;
    task.log.push_back({kAtMs, TaskStatus::kSent, "node took it", node_, 1});
    task.log.push_back({kAtMs, TaskStatus::kCompleted, "result", node_, 1});
    task.info = {{"attempts", 1}, {"node_id", "node-1"}, {"queued_ms", 1}, {"total_ms", 5}};
    task.payload = {};
    task.result = result_;
    return {std::move(task), Batch::Data::kClear, Batch::Data::kSet};
  }

  const TaskSpec spec_;
  const Blob payload_, result_;
  const NodeId node_ = *NodeId::parse("node-1");
  std::uint64_t sequence_ = 0;
};

void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().detail);
}

struct Row {
  std::size_t batch;
  double tasks_per_s, commits_per_s, commit_p50_us;
};

Row measure(const StoreOptions& options, std::size_t batch, const Interrupt& interrupt) {
  const Folder folder(options.data_dir);
  auto store = SqliteStore::open(
      {.data_dir = folder.path(), .reserve_bytes = 0, .min_free_bytes = 0, .vfs = {}});
  if (!store) throw std::runtime_error(store.error().detail);
  const auto lease = (*store)->acquire("genai-bench", 1);
  if (!lease) throw std::runtime_error(lease.error().detail);
  Lives lives(options.payload_bytes);
  Latencies commits;
  double spent = 0;  // making batches is not the store's work
  std::uint64_t tasks = 0;
  while (tasks < options.tasks && spent < options.seconds) {
    interrupt.check();
    Batch next = lives.next(batch);
    const auto begin = Clock::now();
    must((*store)->commit(*lease, next));
    commits.add(seconds_since(begin) * 1e6);
    must((*store)->tidy());
    spent += seconds_since(begin);
    tasks += batch;
  }
  return {batch, static_cast<double>(tasks) / spent, static_cast<double>(commits.size()) / spent,
          commits.quantile(0.5)};
}

}  // namespace

void run_store(const StoreOptions& options, const Interrupt& interrupt) {
  const Folder folder(options.data_dir);
  Latencies disk = probe_disk(folder.path());
  nlohmann::ordered_json report{{"fdatasync_p50_us", disk.quantile(0.5)},
                                {"fdatasync_p99_us", disk.quantile(0.99)},
                                {"rows", nlohmann::json::array()}};
  const Table table({"tasks/commit", "whole lives/s", "commits/s", "commit p50 us", "x fdatasync"});
  if (!options.json)
    std::cout << fmt::format("fdatasync of 4 KiB appended: p50 {:.0f} us, p99 {:.0f} us\n\n",
                             disk.quantile(0.5), disk.quantile(0.99))
              << table.head() << std::flush;
  for (const std::size_t batch : options.batches) {
    const Row row = measure(options, batch, interrupt);
    const double ratio = row.commit_p50_us / disk.quantile(0.5);
    if (!options.json)
      std::cout << table.row({std::to_string(row.batch), cell(row.tasks_per_s, 0),
                              cell(row.commits_per_s, 0), cell(row.commit_p50_us, 0),
                              cell(ratio, 2)})
                << std::flush;
    report["rows"].push_back({{"batch", row.batch},
                              {"tasks_per_s", row.tasks_per_s},
                              {"commits_per_s", row.commits_per_s},
                              {"commit_p50_us", row.commit_p50_us},
                              {"fdatasync_ratio", ratio}});
  }
  if (options.json) std::cout << report.dump() << '\n';
}

}  // namespace genai::bench
