// The values that a client and the dispatcher tell each other: tasks, results, nodes, figures.
//
// All of them are plain values. A member whose name ends in _ms is a time in milliseconds, one that
// ends in _mib is a size in MiB. Texts are UTF-8.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "genai/client/errors.h"
#include "genai/data.h"
#include "genai/export.h"
#include "genai/param.h"
#include "genai/result_file.h"

namespace genai::client {

/// The state of a task. The last three are terminal: they never change.
enum class Status { kUnscheduled, kScheduled, kSent, kAborted, kCompleted, kFailed };
/// Returns "Unscheduled", "Scheduled", "Sent", "Aborted", "Completed" or "Failed".
GENAI_EXPORT const char* name(Status status);
constexpr bool is_terminal(Status s) { return s >= Status::kAborted; }

using genai::Data;
using genai::Param;
using genai::ResultFile;

/// A task to submit. A zero or an empty text means "not said": then the dispatcher's default is
/// used, or the task has no such requirement. Times are at most 30 days, Unix times end with the
/// year 9999. Everything but the payload may take 64 KiB.
struct TaskRequest {
  std::string id;  // 1 to 64 characters of A-Z a-z 0-9 . _ : -; empty: the library makes a UUIDv7
  // Only a node that fits gets the task. A name has at most 128 bytes.
  std::string model;                                  // the node names this model
  std::string gpu_type;                               // the node has exactly this GPU type
  std::uint64_t ncpu = 0, ram_mib = 0, vram_mib = 0;  // the node has at least this much; < 2^32
  std::uint64_t ttl_ms = 0;              // from acceptance (or start) to a terminal state; 0: 24 h
  std::uint64_t time_limit_ms = 0;       // of one execution; 0: the dispatcher's, 10 min by default
  std::uint32_t max_attempts = 0;        // error results until the task is Failed, up to 1000; 0: 5
  std::string label;                     // a name for people; at most 128 bytes
  std::string tenant;                    // who pays for the task's time; at most 128 bytes
  std::optional<std::uint8_t> priority;  // 0 to 9, the highest goes first; default 5
  std::uint64_t not_before_ms = 0;       // earliest start, Unix time; 0: at once
  std::uint64_t deadline_ms = 0;         // latest end, Unix time; 0: only ttl_ms limits it
  // The same two, counted from the acceptance of the task, by the dispatcher's clock. Use them when
  // the clock of this machine may be wrong.
  std::uint64_t start_in_ms = 0;
  std::uint64_t deadline_in_ms = 0;
  std::optional<double> max_cost;             // only nodes whose min_cost is at most this; >= 0
  std::optional<double> time_to_money_ratio;  // price of a second, >= 0; default: cost is ignored
  double work = 0;  // size of the task, >= 0; any unit, but one unit for each model; 0: not said
  std::map<std::string, Param> params;  // for the program at the node; a key: at most 128 bytes
  Data payload;                         // bytes for the node; at most 16 MiB

  /// For programs that read or write requests by name. Calls visit(key, member) for each member
  /// that is a key of the task spec in SPEC.md, with the name of that key. `request` is a
  /// TaskRequest or a const TaskRequest.
  template <class Visit, class Request>
  static void fields(Visit&& visit, Request& request) {
    visit("model", request.model);
    visit("gpu_type", request.gpu_type);
    visit("ncpu", request.ncpu);
    visit("ram_mib", request.ram_mib);
    visit("vram_mib", request.vram_mib);
    visit("ttl_ms", request.ttl_ms);
    visit("time_limit_ms", request.time_limit_ms);
    visit("max_attempts", request.max_attempts);
    visit("label", request.label);
    visit("tenant", request.tenant);
    visit("priority", request.priority);
    visit("not_before_ms", request.not_before_ms);
    visit("deadline_ms", request.deadline_ms);
    visit("start_in_ms", request.start_in_ms);
    visit("deadline_in_ms", request.deadline_in_ms);
    visit("max_cost", request.max_cost);
    visit("time_to_money_ratio", request.time_to_money_ratio);
    visit("work", request.work);
    visit("params", request.params);
  }
};

/// When a task is expected to start and to finish, counted from the moment of the answer. Half of
/// such tasks do so before the p50 time, and 95 % of them before the p95 time.
struct Estimate {
  std::uint64_t start_p50_ms = 0, start_p95_ms = 0;
  std::uint64_t finish_p50_ms = 0, finish_p95_ms = 0;
};

/// The dispatcher's answer about one task.
struct Verdict {
  std::string id;
  Errc code = Errc::kOk;             // kOk: the task is accepted, or the request is done
  std::string detail;                // for people; of an accepted task: a warning, or empty
  std::uint64_t retry_after_ms = 0;  // of a refusal: how long to wait before you try again; 0: else
  std::optional<Estimate> estimate;  // of an accepted task; missing if nothing is known yet
  bool ok() const { return code == Errc::kOk; }
  /// True if the task was accepted but will probably not end in time: `detail` says why. Any other
  /// `detail` of an accepted task says why no node fits it now.
  bool is_late() const { return ok() && detail.rfind("late: ", 0) == 0; }
};

/// A Failed task, and the id of the new task that gets its content.
struct Replay {
  std::string of;
  std::string as;  // empty: the library makes a UUIDv7
};

/// How a task ended.
struct TaskResult {
  std::string id;
  Status status = Status::kFailed;  // kCompleted, kFailed or kAborted
  Errc code = Errc::kOk;            // kOk, or the reason why the task did not complete
  std::string error;                // the same reason, for people
  Data data;                        // the bytes of the result; copies of a Data share the bytes
  bool result_gone = false;     // the task completed, but its data was fetched or dropped before
  bool result_dropped = false;  // the data was dropped because nobody fetched it in time
  std::string content_type;     // MIME type of `data`; empty: the node did not say it
  // If the result is a bundle: its named files, in the order of their bytes in `data`, which they
  // share. Empty: `data` is one file without a name. See files().
  std::vector<ResultFile> bundle;
  std::string node_id;          // the node that the result or the error comes from
  std::uint32_t attempts = 0;   // how often the task was assigned
  std::uint64_t queued_ms = 0;  // from the acceptance until the last node acknowledged the task
  std::uint64_t run_ms = 0;     // of the execution, as the node says
  std::uint64_t total_ms = 0;   // from the acceptance to the end
  bool refused = false;         // only from Session: the dispatcher did not accept the task
  std::uint64_t retry_after_ms = 0;  // of a refused task: how long to wait; else 0

  /// Returns the files of a result of either kind: those of the bundle, or `data` as one file
  /// without a name. Returns none if there is no result (any more).
  std::vector<ResultFile> files() const {
    if (!bundle.empty()) return bundle;
    if (status != Status::kCompleted || result_gone) return {};
    return {ResultFile{{}, content_type, data, {}}};
  }
  /// Returns the file of the bundle with exactly this name, or null.
  const ResultFile* file(std::string_view name) const {
    for (const ResultFile& one : bundle)
      if (one.name == name) return &one;
    return nullptr;
  }
};

/// A part of a result, as fetch() gets it.
struct ResultPart {
  TaskResult task;           // its `data` holds this part; `status` is any while it has not ended
  std::uint64_t total = 0;   // bytes of the whole result; 0: there is none, or none any more
  std::uint64_t offset = 0;  // of the first byte of this part
  /// A file of the result, and where its bytes are in the whole.
  struct File {
    std::string name, content_type;  // as in ResultFile
    std::uint64_t offset = 0, bytes = 0;
    std::map<std::string, Param> metadata;
  };
  // All files of a bundle, whatever part this is: to read one of them, fetch its range. Empty: the
  // whole is one file without a name. (`task.bundle` is empty unless this part is the whole.)
  std::vector<File> files;
};

/// A change of a task's status, or progress of its execution.
struct TaskUpdate {
  std::string id;
  Status status = Status::kUnscheduled;
  std::string node_id;  // empty while no node has the task
  double fraction = 0;  // how much is done, 0 to 1
  std::string text;     // what the node's program says of its progress
};

/// What the dispatcher sends about a task without being asked: nothing, its result, or its result
/// and every change and progress before it.
enum class Watch { kNone, kResult, kProgress };

/// A task as the dispatcher describes it.
struct TaskInfo {
  struct LogEntry {
    std::uint64_t at_ms = 0;  // Unix time
    std::string status, reason, node_id;
    std::uint32_t attempt = 0;  // 0: the entry is about no attempt
  };
  /// A node that fits the task, and the times that the task may expect there, from now.
  struct Candidate {
    std::string node_id;
    std::string obstacle;  // why the node does not get the task now; empty: it could get it
    std::uint64_t finish_ms = 0, wait_ms = 0, load_ms = 0, run_ms = 0;
    double cost = 0;
  };
  std::string id;
  Status status = Status::kUnscheduled;
  std::string label, model, node_id;
  std::uint32_t attempt = 0;  // number of the last attempt; 0: none yet
  // Errors, lost nodes, and nodes that gave the task back: each has a limit of its own.
  std::uint32_t faults = 0, losses = 0, drains = 0;
  double fraction = 0;  // of the last progress, 0 to 1
  std::string text;     // of the last progress
  std::string waiting;  // why the task is not assigned to a node
  std::string tenant;
  std::uint32_t priority = 0;
  std::optional<std::uint64_t> finish_p50_ms, finish_p95_ms;  // from now; missing: not known
  std::string code;    // of a task that has ended: the name of a code, see errc_named()
  std::string error;   // the same reason, for people
  std::string result;  // of a Completed task: "waiting" (for a client), "fetched" or "dropped"
  std::string late;    // only from status(): why the task will probably not end in time
  std::uint64_t created_ms = 0;  // when it was accepted, Unix time
  std::uint64_t age_ms = 0;      // from the acceptance to now, or to the end
  std::uint64_t queued_ms = 0, run_ms = 0, total_ms = 0;  // as in TaskResult
  std::vector<LogEntry> log;          // only from status(): the first 32 and the last 32 changes
  std::vector<Candidate> candidates;  // only from status(), while Unscheduled; the best first
};

/// One page of a list of tasks.
struct TaskPage {
  std::vector<TaskInfo> tasks;
  bool more = false;  // true: there are more tasks behind the last one
};

/// A node as the dispatcher describes it.
struct NodeInfo {
  /// What the dispatcher has measured at this node, for tasks of one model and one size.
  struct Measured {
    std::string model;
    std::uint32_t size = 0;  // 32 + log2 of TaskRequest::work, rounded; 0: work was not said
    double runs = 0;         // how many samples the measurement is worth; old ones count less
    std::uint64_t run_mean_ms = 0;  // expected
    std::uint64_t run_p50_ms = 0, run_p95_ms = 0;
    std::uint64_t load_ms = 0;  // to load the model; 0: never seen
    double success_ratio = 0;   // 0 to 1
    std::uint64_t lost = 0;     // executions during which the node was lost
  };
  std::string node_id;
  std::string state;            // "online", "suspect", "draining" or "unreachable"
  std::uint32_t slots = 0;      // tasks at once
  std::uint64_t in_flight = 0;  // tasks that the node has now
  std::vector<std::string> models, loaded_models;
  std::string gpu_type;
  std::uint64_t ncpu = 0, ram_mib = 0, vram_mib = 0;
  // Over all sessions of this node id.
  std::uint64_t assigned_total = 0, completed_total = 0, failed_total = 0, lost_total = 0;
  bool drained = false;            // by drain(): it gets no new tasks
  std::uint64_t since_ms = 0;      // when the node joined, Unix time
  double min_cost = 0;             // the price that it asks for a task
  std::uint64_t load_ms = 0;       // expected time of all its tasks, per slot
  std::uint64_t probation_ms = 0;  // how long it still rests; a node that rests gets no work
  std::string trouble;             // why it rests, or gets one task at a time; empty: all is well
  std::vector<Measured> measured;  // only if the call asks for it
};

/// The state and the figures of the dispatcher.
struct Stats {
  struct Broker {
    std::string endpoint;
    // "connected", "down", or the code with which the broker refuses this dispatcher.
    std::string state;
    // The latest value of every counter and gauge of the broker, by its name in SPEC.md's table.
    // Empty: the broker has not told any yet, or is of a release that does not tell them.
    std::map<std::string, double> metrics = {};
  };
  struct Tenant {
    std::string name;
    double weight = 1;
    std::uint64_t queued = 0, running = 0;  // tasks
    std::uint64_t bytes = 0;                // of its tasks that have not ended
    double seconds = 0;                     // of the nodes' time, charged so far
  };
  /// How often which values were seen.
  struct Histogram {
    std::uint64_t count = 0;  // of all values
    double sum = 0;           // of all values
    /// An upper end, and how many values were not above it.
    std::vector<std::pair<double, std::uint64_t>> buckets;
  };
  std::uint64_t epoch = 0;      // grows with each start of a dispatcher
  std::uint64_t uptime_ms = 0;  // of this process
  bool draining = false;        // true: it accepts no new tasks
  std::string store;            // "sqlite" or "memory"
  std::string store_state;  // "ok", "low" (refuses new tasks) or "full" (nothing can be written)
  std::array<std::uint64_t, 6> tasks{};  // number of tasks in each Status
  /// Every counter and every gauge of the dispatcher, under its name in SPEC.md's table of metrics.
  /// The map also has those that are newer than this library.
  std::map<std::string, double> metrics;
  std::map<std::string, Histogram> histograms;
  /// Returns the counter or gauge with this name, or 0 if the dispatcher has none.
  double metric(const std::string& name) const {
    const auto it = metrics.find(name);
    return it == metrics.end() ? 0 : it->second;
  }
  // Some of the metrics, with types. SPEC.md says what each of them means.
  std::uint64_t commits_total = 0, committed_tasks_total = 0;
  std::uint64_t commit_us = 0;  // how long the last commit took, in microseconds
  std::uint64_t accepted_total = 0, delivered_total = 0, requeued_total = 0;
  std::uint64_t providers = 0, queued_bytes = 0, result_bytes = 0;
  std::uint64_t dropped_results_total = 0;  // nobody fetched them in time
  std::uint64_t dropped_answers_total = 0;  // their clients did not read
  double calibration = 0;                   // share of tasks that finished within their p95, 0 to 1
  std::uint64_t calibrated_total = 0;
  std::vector<Broker> brokers;
  std::vector<Tenant> tenants;  // at most 100
};

using Millis = std::chrono::milliseconds;
inline constexpr Millis kForever = Millis::max();

/// How a Client or a Session connects.
struct Config {
  std::string endpoint = "tcp://127.0.0.1:7710";  // tcp://HOST:PORT or ipc://PATH
  // How long the answer to a question may take. For Client also: how long the verdicts of submit()
  // may take. It does not limit the wait for results. kForever: no limit.
  Millis timeout{10'000};
  // Whether results are acknowledged. The dispatcher drops the data of an acknowledged result. An
  // onlooker sets this to false: it sees the results, and they stay with the dispatcher for the
  // client that they belong to.
  bool acknowledge = true;
  // For a dispatcher that asks for keys: the file with our secret key (genai-ctl keygen), and the
  // dispatcher's public key or the file that has it.
  std::string key_file = {}, server_key = {};
};

}  // namespace genai::client
