// A client node in a few lines: connect to a broker, run a callback per task.
//
//   genai::node::NodeConfig config;
//   config.node_id = "painter-1";
//   config.models = {"sdxl"};
//   genai::node::Node node(config, [](const Task& task, TaskContext& context) {
//     context.progress(0.5, "half way");
//     return TaskResult::ok(paint(task.payload), "image/png");
//   });
//   const auto end = node.run();  // until node.leave() from another thread
//
// The library keeps the session alive from its own loop while callbacks run, reconnects with the
// tasks in flight, and keeps each result until the dispatcher has acknowledged it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "genai/data.h"
#include "genai/export.h"
#include "genai/param.h"

namespace genai::node {

/// A larger result becomes an error result that says so.
inline constexpr std::size_t kMaxResultBytes = std::size_t{48} << 20;
/// How many tasks may wait at a node for a free slot.
inline constexpr std::size_t kMaxQueuedTasks = 64;

/// What the node says of itself. Names are at most 128 bytes of UTF-8.
struct NodeConfig {
  std::string broker_endpoint = "tcp://127.0.0.1:7700";  // or ipc://PATH
  // To a broker that asks for keys: the file with ours (genai-ctl keygen), and its public key.
  std::string key_file, server_key;
  std::string node_id;              // 1 to 64 of [A-Za-z0-9._:-]; one process per id
  std::uint32_t slots = 1;          // tasks at once, 1 to 1024
  std::vector<std::string> models;  // what it can run: a task that asks for one needs it here
  std::vector<std::string> loaded_models;  // what is in memory now
  std::string gpu_type;                    // empty: none
  std::uint64_t ncpu = 0;                  // 0: not said; likewise below; at most 2^32 - 1
  std::uint64_t ram_mib = 0;
  std::uint64_t vram_mib = 0;
  double min_cost = 0;  // what it asks for a task, in the unit of tasks' max_cost
  // After leave(): how long results wait to be taken once nothing runs any more; at most 7 days.
  std::chrono::seconds drain_timeout{30};
};

/// What a config's problem is about: the member's name and a sentence.
struct ConfigProblem {
  std::string member;
  std::string what;
};
/// The first thing wrong with `config`, or nothing.
GENAI_EXPORT std::optional<ConfigProblem> config_problem(const NodeConfig& config);

using genai::Data;
using genai::Param;

struct Task {
  std::string id;
  std::uint32_t attempt = 1;            // grows with each assignment of the task
  std::string model;                    // empty: none asked for
  std::string label;                    // for people
  std::uint64_t time_limit_ms = 0;      // of this execution: the library aborts it then; 0: none
  std::map<std::string, Param> params;  // lists, maps, nil and bytes as a text of JSON
  Data payload;                         // bytes, opaque to everyone between client and node
};

/// What a handler returns.
struct GENAI_EXPORT TaskResult {
  enum class Kind {
    kOk,
    kError,     // the task failed here
    kReturned,  // this node can run nothing now: somebody else is to run it
  };

  /// `content_type`: a MIME type of at most 128 bytes, or empty.
  static TaskResult ok(std::string data, std::string content_type = {});
  /// `text`: why, for people; the first 4096 bytes are sent.
  static TaskResult error(std::string text, std::optional<int> exit_code = std::nullopt);
  /// An error that another attempt would repeat, wherever it runs: the task ends with it.
  static TaskResult impossible(std::string text);
  /// The result would be over kMaxResultBytes: the task ends with that.
  static TaskResult too_large(std::string text);
  /// A time limit of the handler's own has passed. The task's limit is kept by the library.
  static TaskResult time_limit(std::string text);
  /// The trouble is this node's and not the task's (its disk is full, its program is missing): the
  /// task goes elsewhere without blame, and this node gets nothing for a while. `reason`: for
  /// people.
  static TaskResult returned(std::string reason);

  Kind kind = Kind::kOk;
  std::string data;
  std::string content_type;
  std::string error_text;
  std::optional<int> exit_code;
  /// How much of the time went into loading the model, 0 if it was in memory: the dispatcher weighs
  /// that against waiting for a node that has it loaded.
  std::uint64_t load_ms = 0;
  /// What is in memory now, if it may have changed: see Node::set_loaded_models. Ignored when a
  /// name is over 128 bytes, or not UTF-8.
  std::optional<std::vector<std::string>> loaded_models;
  /// Of an error that says more than that the task failed: 503, 505 or 513 of SPEC.md's table.
  std::uint16_t code = 0;
};

/// The library's side of a running task. Valid until the handler returns or, of a Reply, as long as
/// that. Thread-safe.
class GENAI_EXPORT TaskContext {
 public:
  virtual ~TaskContext();

  /// `fraction` is 0 to 1 (others are clamped). Lossy: about ten a second are sent, the latest
  /// always. At most 4096 bytes of `text`. Never blocks.
  virtual void progress(double fraction, std::string_view text = {}) = 0;

  /// True once the result is not wanted any more, or Task::time_limit_ms has passed (the library
  /// reports that by itself): return soon, with anything.
  virtual bool aborted() const = 0;
  /// Sleeps until the abort, at most `timeout`; returns aborted().
  virtual bool wait_aborted(std::chrono::milliseconds timeout) = 0;
  /// Calls `callback` once when the task is aborted: from the thread of Node::run, or at once if it
  /// already is. Replaces an earlier one; it is not called after the handler has returned, or the
  /// reply was given. It must be quick, must not throw and must not call this context; it may call
  /// Reply::finish().
  virtual void on_abort(std::function<void()> callback) = 0;
};

/// Called on a worker thread, on as many at once as there are slots. An exception becomes an error
/// result with its text.
using Handler = std::function<TaskResult(const Task&, TaskContext&)>;

/// The answer that a task waits for. Move it to whatever thread will give it. Until then the task
/// takes a slot. A Reply that goes away without an answer is an error result that says so. It may
/// outlive its Node: then it does nothing.
class GENAI_EXPORT Reply {
 public:
  /// For tests of a handler: `finish` is called once, with nothing when no answer was given.
  Reply(std::shared_ptr<TaskContext> context,
        std::function<void(std::optional<TaskResult>)> finish);
  Reply(Reply&&) noexcept;
  Reply& operator=(Reply&&) noexcept;
  ~Reply();

  /// Only the first answer counts. Never blocks.
  void finish(TaskResult result);
  /// Not of a Reply that was moved from.
  TaskContext& context() const { return *context_; }

 private:
  std::shared_ptr<TaskContext> context_;
  std::function<void(std::optional<TaskResult>)> finish_;
};

/// A handler that may answer later. Calls come one after the other, on one thread of the library's:
/// start the work, keep the Reply, and return. An exception becomes an error result with its text.
struct AsyncHandler {
  std::function<void(const Task&, Reply)> call;
};

/// Something worth a log line.
struct Event {
  enum class Kind {
    kJoined,         // a session is up, at first or again
    kNoBroker,       // nothing heard while joining; repeated once a minute
    kReconnecting,   // the session was interrupted; text: why
    kRefused,        // the broker does not take the node now; text: why. It tries again
    kProtocolError,  // the peer sent, or complained of, a wrong frame; text: what
    kTaskStarted,
    kTaskDone,
    kTaskFailed,    // text: the error
    kTaskAborted,   // text: why
    kTaskReturned,  // given back by a leaving node, or by TaskResult::returned; text: its reason
    kLeaving,       // text: the reason given
    kLeft,
    kSessionReplaced,
  };
  Kind kind;
  std::string task_id;  // of kTask... events
  std::uint32_t attempt = 0;
  std::uint64_t run_ms = 0;           // of those that ended after a start
  std::string text;                   // may hold what a peer sent: escape it before printing
  std::optional<int> exit_code = {};  // of kTaskFailed, if a command ended with it
};
/// Called on the thread of Node::run. Must be quick and must not throw.
using EventCallback = std::function<void(const Event&)>;

/// How run() ended.
struct RunEnd {
  enum class Kind {
    kLeft,             // after leave() or force()
    kSessionReplaced,  // another process serves under this node_id
    kGaveUp,           // after leave(): nobody took the last results within drain_timeout
  };
  Kind kind = Kind::kLeft;
  std::string text;  // for people
};

/// One session of one node. leave, force and set_loaded_models are thread-safe.
class GENAI_EXPORT Node {
 public:
  /// Throws std::invalid_argument when config_problem finds one. Signals that the program handles
  /// by a descriptor must be blocked before: threads inherit the mask.
  Node(NodeConfig config, Handler handler, EventCallback on_event = {});
  Node(NodeConfig config, AsyncHandler handler, EventCallback on_event = {});
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Serves until the node has left or its session was replaced. Call it once. When the broker
  /// cannot be reached it keeps trying. Returns after all handlers have returned; replies that are
  /// still to be given then are aborted, and lead to nothing. Throws std::system_error when the
  /// system refuses what the connection needs.
  RunEnd run();

  /// Takes no new tasks, gives back those not started, finishes the running ones, waits until all
  /// results are acknowledged, drain_timeout at most, says goodbye; then run() returns. Without a
  /// broker the running ones get 10 min. Returns at once.
  void leave(std::string reason = {});
  /// Aborts the running tasks and gives them back; run() returns within about 4 s if the handlers
  /// obey the abort.
  void force();

  /// What is in memory now; told with the next heartbeat.
  void set_loaded_models(std::vector<std::string> models);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genai::node
