// What client and dispatcher tell each other: tasks, results, nodes, figures.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "genai/client/errors.h"
#include "genai/data.h"
#include "genai/export.h"
#include "genai/param.h"

namespace genai::client {

enum class Status { kUnscheduled, kScheduled, kSent, kAborted, kCompleted, kFailed };
/// "Unscheduled", "Scheduled", "Sent", "Aborted", "Completed", "Failed".
GENAI_EXPORT const char* name(Status status);
constexpr bool is_terminal(Status s) { return s >= Status::kAborted; }

using genai::Data;
using genai::Param;

/// Zero and empty mean "not said": the dispatcher's default, or no requirement.
struct TaskRequest {
  std::string id;     // 1 to 64 of [A-Za-z0-9._:-]; empty: a UUIDv7 is made
  std::string model;  // names: at most 128 bytes of UTF-8
  std::string gpu_type;
  std::uint64_t ncpu = 0, ram_mib = 0, vram_mib = 0;
  std::uint64_t ttl_ms = 0;                   // from acceptance to a terminal state; default 24 h
  std::uint64_t time_limit_ms = 0;            // of one execution
  std::uint32_t max_attempts = 0;             // error results before Failed
  std::string label;                          // for people
  std::string tenant;                         // whom the time is charged to
  std::optional<std::uint8_t> priority;       // 0 to 9, the highest first; default 5
  std::uint64_t not_before_ms = 0;            // Unix time; 0: at once
  std::uint64_t deadline_ms = 0;              // Unix time; 0: ttl_ms alone
  std::uint64_t start_in_ms = 0;              // as not_before_ms, from the acceptance on: by the
  std::uint64_t deadline_in_ms = 0;           // dispatcher's clock, whatever this one's says
  std::optional<double> max_cost;             // only nodes that ask for no more
  std::optional<double> time_to_money_ratio;  // what a second is worth; default: no matter the cost
  double work = 0;  // how much there is to do, against other tasks of its model; 0: not said
  std::map<std::string, Param> params;
  Data payload;  // bytes for the node, at most 16 MiB
};

/// When a task is expected to start and to finish, in ms from the answer. Half of such tasks do so
/// by the p50, and 95 % by the p95.
struct Estimate {
  std::uint64_t start_p50_ms = 0, start_p95_ms = 0;
  std::uint64_t finish_p50_ms = 0, finish_p95_ms = 0;
};

/// The dispatcher's answer about one task.
struct Verdict {
  std::string id;
  Errc code = Errc::kOk;             // kOk: accepted, or done
  std::string detail;                // of an accepted task: why no node fits it now, or is_late()
  std::uint64_t retry_after_ms = 0;  // of a refusal that time may change; else 0
  std::optional<Estimate> estimate;  // of an accepted task, if anything is known of such tasks
  bool ok() const { return code == Errc::kOk; }
  /// A warning: the task was accepted, but is not expected to end in time. `detail` says why.
  bool is_late() const { return ok() && detail.rfind("late: ", 0) == 0; }
};

/// A Failed task and the id that its content gets as a new task.
struct Replay {
  std::string of;
  std::string as;  // empty: a UUIDv7 is made
};

/// How a task ended.
struct TaskResult {
  std::string id;
  Status status = Status::kFailed;
  Errc code = Errc::kOk;        // kOk, or why it did not complete
  std::string error;            // for people
  Data data;                    // the result's bytes, shared: copies are cheap
  bool result_gone = false;     // completed, but the data was fetched or dropped before
  bool result_dropped = false;  // it was dropped: nobody had fetched it in time
  std::string content_type;
  std::string node_id;
  std::uint32_t attempts = 0;
  std::uint64_t queued_ms = 0, run_ms = 0, total_ms = 0;
  bool refused = false;              // in Session: the dispatcher did not take the task
  std::uint64_t retry_after_ms = 0;  // of a refusal that time may change; else 0
};

/// A change or a progress of a task.
struct TaskUpdate {
  std::string id;
  Status status = Status::kUnscheduled;
  std::string node_id;
  double fraction = 0;  // 0 to 1
  std::string text;
};

/// How much is pushed for a task: nothing, its result, or every change and progress before it too.
enum class Watch { kNone, kResult, kProgress };

struct TaskInfo {
  struct LogEntry {
    std::uint64_t at_ms = 0;  // Unix time
    std::string status, reason, node_id;
    std::uint32_t attempt = 0;
  };
  /// A node that fits, as it looks to this task now. Times from now.
  struct Candidate {
    std::string node_id;
    std::string obstacle;  // why it is not taken; empty: it could be
    std::uint64_t finish_ms = 0, wait_ms = 0, load_ms = 0, run_ms = 0;
    double cost = 0;
  };
  std::string id;
  Status status = Status::kUnscheduled;
  std::string label, model, node_id;
  std::uint32_t attempt = 0;  // the last one issued; 0: none yet
  std::uint32_t faults = 0, losses = 0, drains = 0;
  double fraction = 0;
  std::string text;     // of the last progress
  std::string waiting;  // why it is not placed
  std::string tenant;
  std::uint32_t priority = 0;
  std::optional<std::uint64_t> finish_p50_ms, finish_p95_ms;  // from now; absent: not known
  std::string code;                                           // when it has ended: see errc_named()
  std::string error;                                          // for people
  std::string result;  // of a Completed task: waiting, fetched or dropped; empty: not said
  std::string late;    // from status(): why it will probably not end in time
  std::uint64_t created_ms = 0;  // Unix time
  std::uint64_t age_ms = 0, queued_ms = 0, run_ms = 0, total_ms = 0;
  std::vector<LogEntry> log;          // from status() only
  std::vector<Candidate> candidates;  // from status(), while it is Unscheduled; the best first
};

/// A part of a list, and whether there is more behind its last task.
struct TaskPage {
  std::vector<TaskInfo> tasks;
  bool more = false;
};

struct NodeInfo {
  /// What the dispatcher measured of tasks of one model and size.
  struct Measured {
    std::string model;
    std::uint32_t size = 0;  // class: doubles with each step; 0: not said
    double runs = 0;         // how many it is worth: old ones count less
    std::uint64_t run_mean_ms = 0, run_p50_ms = 0, run_p95_ms = 0;
    std::uint64_t load_ms = 0;  // 0: never seen
    double success_ratio = 0;
    std::uint64_t lost = 0;
  };
  std::string node_id;
  std::string state;  // online, suspect, draining, unreachable
  std::uint32_t slots = 0;
  std::uint64_t in_flight = 0;
  std::vector<std::string> models, loaded_models;
  std::string gpu_type;
  std::uint64_t ncpu = 0, ram_mib = 0, vram_mib = 0;
  std::uint64_t assigned_total = 0, completed_total = 0, failed_total = 0, lost_total = 0;
  bool drained = false;
  std::uint64_t since_ms = 0;  // Unix time
  double min_cost = 0;
  std::uint64_t load_ms = 0;       // what it has been given will take, per slot
  std::uint64_t probation_ms = 0;  // so long it rests: it gets no work
  std::string trouble;             // what is wrong with it; empty: nothing
  std::vector<Measured> measured;  // if asked for
};

struct Stats {
  struct Broker {
    std::string endpoint, state;  // connected, down
  };
  struct Tenant {
    std::string name;
    double weight = 1;
    std::uint64_t queued = 0, running = 0, bytes = 0;
    double seconds = 0;  // of provider time, charged so far
  };
  /// How often which values were seen.
  struct Histogram {
    std::uint64_t count = 0;  // of all values
    double sum = 0;           // of all values
    /// Upper end, and how many values were not above it.
    std::vector<std::pair<double, std::uint64_t>> buckets;
  };
  std::uint64_t epoch = 0, uptime_ms = 0;
  bool draining = false;
  std::string store;        // sqlite, memory
  std::string store_state;  // ok, low: new tasks are refused, full: nothing can be written
  std::array<std::uint64_t, 6> tasks{};  // by Status
  /// Every counter and gauge that the dispatcher has, by its name in SPEC.md's table, those that
  /// are newer than this library included.
  std::map<std::string, double> metrics;
  std::map<std::string, Histogram> histograms;
  /// The counter or gauge of that name; 0 where the dispatcher has none.
  double metric(const std::string& name) const {
    const auto it = metrics.find(name);
    return it == metrics.end() ? 0 : it->second;
  }
  // Some of them, typed.
  std::uint64_t commits_total = 0, committed_tasks_total = 0, commit_us = 0;  // the last took
  std::uint64_t accepted_total = 0, delivered_total = 0, requeued_total = 0;
  std::uint64_t providers = 0, queued_bytes = 0, result_bytes = 0;
  std::uint64_t dropped_results_total = 0;  // nobody fetched them in time
  std::uint64_t dropped_answers_total = 0;  // their clients did not read
  double calibration = 0;                   // share of the tasks that finished within their p95
  std::uint64_t calibrated_total = 0;
  std::vector<Broker> brokers;
  std::vector<Tenant> tenants;
};

using Millis = std::chrono::milliseconds;
inline constexpr Millis kForever = Millis::max();

struct Config {
  std::string endpoint = "tcp://127.0.0.1:7710";  // or ipc://PATH
  // How long an answer to a question may take, and in Client the verdicts of submit(). Results take
  // as long as they take. kForever: no limit.
  Millis timeout{10'000};
  // Whether results are acknowledged; the dispatcher drops their data then. An onlooker says no: it
  // sees the results, and they stay with the dispatcher for the client that they are for.
  bool acknowledge = true;
  // To a dispatcher that asks for keys: the file with ours (genai-ctl keygen), and its public key.
  std::string key_file = {}, server_key = {};
};

}  // namespace genai::client
