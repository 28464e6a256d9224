// A client of the dispatcher: submit tasks, wait for results, ask about tasks and nodes.
//
//   genai::client::Client client({.endpoint = "tcp://127.0.0.1:7710"});
//   genai::client::TaskRequest request;
//   request.model = "sdxl";
//   request.payload = "a lighthouse at dusk";
//   const std::string id = client.submit(request);
//   const auto result = client.wait(id);
//   if (result && keep(result->data))  // in a file, say, that is synced and has its name
//     client.acknowledge();            // now the dispatcher may drop the picture
//   else if (result)
//     client.leave(id);                // it stays there: watch({id}) brings it again
//
// What was submitted is kept here until its result has come: the library repeats what was not
// answered, reconnects, and submits again what a restarted dispatcher has forgotten. Retrying the
// same id is always safe.
//
// A result is acknowledged, upon which the dispatcher drops its data, only when the caller says so:
// by acknowledge(), or by coming back for more with the next call of next() or wait(). So put each
// result where it shall stay before you come back, and leave() what you could not keep. A process
// that ends or is killed while it handles a result has lost nothing: watch() with the task's id
// brings it again, until the dispatcher's --result-retention-s has passed (24 h).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace genai::client {

enum class Status { kUnscheduled, kScheduled, kSent, kAborted, kCompleted, kFailed };
/// "Unscheduled", "Scheduled", "Sent", "Aborted", "Completed", "Failed".
const char* name(Status status);
constexpr bool is_terminal(Status s) { return s >= Status::kAborted; }

using Param = std::variant<bool, std::int64_t, double, std::string>;

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
  std::string payload;  // bytes for the node, at most 16 MiB
};

/// When a task is expected to start and to finish, in ms from the answer: half of them do, and 95
/// %.
struct Estimate {
  std::uint64_t start_p50_ms = 0, start_p95_ms = 0;
  std::uint64_t finish_p50_ms = 0, finish_p95_ms = 0;
};

/// The dispatcher's answer about one task. `code` is a name of SPEC.md's list, "ok" when accepted.
struct Verdict {
  std::string id;
  std::string code;
  std::string detail;                // of an accepted task: why no node fits it now, or is_late()
  std::uint64_t retry_after_ms = 0;  // of a refusal that time may change; else 0
  std::optional<Estimate> estimate;  // of an accepted task, if anything is known of such tasks
  bool ok() const { return code == "ok"; }
  /// A warning: the task was accepted, but is not expected to end in time. `detail` says why.
  bool is_late() const { return ok() && detail.rfind("late: ", 0) == 0; }
};

/// A Failed task and the id that its content gets as a new task.
struct Replay {
  std::string of;
  std::string as;  // empty: a UUIDv7 is made
};

struct TaskResult {
  std::string id;
  Status status = Status::kFailed;
  std::string code;             // "ok", or why it did not complete
  std::string error;            // for people
  std::string data;             // the result's bytes
  bool result_gone = false;     // completed, but the data was fetched or dropped before
  bool result_dropped = false;  // it was dropped: nobody had fetched it in time
  std::string content_type;
  std::string node_id;
  std::uint32_t attempts = 0;
  std::uint64_t queued_ms = 0, run_ms = 0, total_ms = 0;
};

struct TaskUpdate {
  std::string id;
  Status status = Status::kUnscheduled;
  std::string node_id;
  double fraction = 0;  // 0 to 1
  std::string text;
};

using Event = std::variant<TaskResult, TaskUpdate>;

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
  std::string code, error;
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

/// The one exception of this library. `code` is a name of SPEC.md's list, or "timeout".
class ClientError : public std::runtime_error {
 public:
  ClientError(std::string code, const std::string& what)
      : std::runtime_error(what), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

using Millis = std::chrono::milliseconds;
inline constexpr Millis kForever = Millis::max();

struct Config {
  std::string endpoint = "tcp://127.0.0.1:7710";  // or ipc://PATH
  Millis timeout{10'000};  // for answers to everything but wait() and next(); kForever: none
  // Whether results are acknowledged, upon which the dispatcher drops their data. An onlooker says
  // no: it sees the results, and they stay for the client that they are for.
  bool acknowledge = true;
  // To a dispatcher that asks for keys: the file with ours (genai-ctl keygen), and its public key.
  std::string key_file = {}, server_key = {};
};

/// One thread at a time; everything happens inside the calls. A Client that waits for results
/// should be called at least every few seconds, or the dispatcher repeats itself and a restart of
/// it is noticed late: every 5 s the library asks whether it is still the same. Calls throw
/// ClientError with code "timeout" when the dispatcher does not answer in Config::timeout, else
/// with its code.
class Client {
 public:
  explicit Client(Config config);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Throws what submit() would throw about this request before sending anything.
  static void check(const TaskRequest& request);

  /// Submits and returns the id once accepted; throws when refused. After a timeout it is not known
  /// whether the task was accepted: it stays submitted here, and its result may still come.
  std::string submit(const TaskRequest& request, Watch watch = Watch::kResult);
  /// One verdict per request, in order; requests without an id get theirs there. Throws bad_field
  /// or too_large before anything is sent when a request could not be sent as it is, or two have
  /// the same id. An id that is open with another content gets id_conflict.
  std::vector<Verdict> submit(const std::vector<TaskRequest>& requests,
                              Watch watch = Watch::kResult);

  /// Follows tasks that were submitted elsewhere or before; those that are known come back, the
  /// others are absent. Watch::kNone: follows them no longer, and leaves them (see leave()).
  std::vector<TaskInfo> watch(const std::vector<std::string>& ids, Watch watch = Watch::kResult);

  /// The next result or update of any watched task; nothing after `timeout`, or at once when no
  /// watched task is left. Each result comes once.
  std::optional<Event> next(Millis timeout = kForever);
  /// The result of one watched task; nothing after `timeout`. Other events stay for next(). Throws
  /// not_watched when no result of that id can come.
  std::optional<TaskResult> wait(const std::string& id, Millis timeout = kForever);
  /// Every result given so far is kept: for a caller that does not come back soon, or at all.
  void acknowledge();
  /// The result that was given last could not be kept: if it is this task's, it is not acknowledged
  /// and stays with the dispatcher, for watch() to bring it again. Never waits for an answer.
  void leave(const std::string& id);
  /// How many watched tasks have not ended yet.
  std::size_t open_tasks() const;

  std::vector<Verdict> cancel(const std::vector<std::string>& ids);
  /// Submits the content of Failed tasks again under new ids; the Failed ones stay as they are.
  /// One verdict per entry, in order, with the new id, UUIDv7s where none was given: unknown_task
  /// and not_failed are about the old one, the others as of submit(). Throws bad_field before
  /// anything is sent when two entries have the same new id. Replays are not watched: see watch().
  /// After a timeout it is not known which were accepted: with ids of your own the same call can be
  /// repeated, and makes nothing twice.
  std::vector<Verdict> replay(const std::vector<Replay>& entries);
  /// Forgets Failed tasks with payload and log; they cannot be replayed any more. One verdict per
  /// id, in order: ok, unknown_task or not_failed.
  std::vector<Verdict> purge(const std::vector<std::string>& ids);
  /// Changes the priority (0 to 9) of tasks that wait. One verdict per id, in order: ok,
  /// unknown_task, not_queued or already_terminal.
  std::vector<Verdict> reprioritise(const std::vector<std::string>& ids, std::uint8_t priority);
  /// Of those that are known, in the order asked.
  std::vector<TaskInfo> status(const std::vector<std::string>& ids);
  /// In the order of ids; all of them or those of one status; at most `limit`.
  std::vector<TaskInfo> list(std::optional<Status> status = {}, std::size_t limit = SIZE_MAX);
  /// The first of them behind the id `after` (empty: from the first), at most `limit` (1 to 4096).
  TaskPage list_page(std::optional<Status> status, const std::string& after, std::size_t limit);
  std::vector<NodeInfo> nodes(bool measured = false);
  Stats stats();
  /// The dispatcher's epoch: another number than before means that it was restarted.
  std::uint64_t ping();
  /// Stops (or resumes) giving work to a node; an empty id: the dispatcher takes no new tasks.
  void drain(const std::string& node_id, bool on = true);

  /// Called with a sentence when the dispatcher is silent, comes back or forgot tasks.
  void on_notice(std::function<void(const std::string&)> callback);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genai::client
