// A client node in a few lines: it connects to a broker and calls a handler for each task.
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
// The library keeps the session alive from its own loop while handlers run. It reconnects without
// losing the tasks that run, and it keeps each result until the dispatcher has acknowledged it.
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
#include "genai/result_file.h"

namespace genai::node {

/// The largest result. A larger one becomes an error result that says so.
inline constexpr std::size_t kMaxResultBytes = std::size_t{48} << 20;
/// How many tasks may wait at one node for a free slot.
inline constexpr std::size_t kMaxQueuedTasks = 64;

/// How a node connects, and how it describes itself. A name is 1 to 128 bytes of UTF-8.
struct NodeConfig {
  std::string broker_endpoint = "tcp://127.0.0.1:7700";  // tcp://HOST:PORT or ipc://PATH
  // For a broker that asks for keys: the file with our secret key (genai-ctl keygen), and the
  // broker's public key or the file that has it.
  std::string key_file, server_key;
  // 1 to 64 characters of A-Z a-z 0-9 . _ : -; no other process may use the same id.
  std::string node_id;
  std::uint32_t slots = 1;  // how many tasks the node executes at once, 1 to 1024
  // The models that the node can run, at most 4096. A task that asks for a model comes only to a
  // node that names it here. The names here and in loaded_models have at most 63 KiB together.
  std::vector<std::string> models;
  std::vector<std::string> loaded_models;  // the models that are in memory now, at most 4096
  std::string gpu_type;                    // empty: no GPU
  // At most 2^32 - 1 each; 0: not said.
  std::uint64_t ncpu = 0;
  std::uint64_t ram_mib = 0;
  std::uint64_t vram_mib = 0;
  double min_cost = 0;  // the price that the node asks for a task, in the unit of a task's max_cost
  // After leave(), when nothing runs any more: how long the node waits until its results are
  // acknowledged. 0 to 7 days.
  std::chrono::seconds drain_timeout{30};
};

/// A wrong member of a NodeConfig: its name, and a sentence that says what is wrong.
struct ConfigProblem {
  std::string member;
  std::string what;
};
/// Returns the first problem of `config`, or nothing if there is none.
GENAI_EXPORT std::optional<ConfigProblem> config_problem(const NodeConfig& config);

using genai::Data;
using genai::Param;
using genai::ResultFile;

/// A task for a handler.
struct Task {
  std::string id;
  std::uint32_t attempt = 1;        // number of this attempt; it grows with each assignment
  std::string model;                // empty: the task asks for no model
  std::string label;                // for people
  std::uint64_t time_limit_ms = 0;  // the library aborts the execution after this time; 0: no limit
  std::map<std::string, Param> params;  // a list, a map, nil or bytes arrive as a JSON text
  Data payload;                         // bytes that only the client and this node understand

  /// Calls visit(key, member) for each member that is a key of the task spec in SPEC.md, with the
  /// name of that key.
  template <class Visit>
  static void fields(Visit&& visit, Task& task) {
    visit("model", task.model);
    visit("label", task.label);
    visit("time_limit_ms", task.time_limit_ms);
    visit("params", task.params);
  }
};

/// The end of an execution, as the handler reports it.
struct GENAI_EXPORT TaskResult {
  enum class Kind {
    kOk,
    kError,     // the task failed here
    kReturned,  // this node can execute nothing now: another node should execute the task
  };

  /// The task is done. `data` has at most kMaxResultBytes. `content_type` is a MIME type of at most
  /// 128 bytes, or empty.
  static TaskResult ok(std::string data, std::string content_type = {});
  /// The task is done, and its result is a bundle: 1 to 256 files in this order, with at most
  /// kMaxResultBytes together. Names and metadata may take 31 KiB in all: that is enough for 256
  /// files with 124 bytes each. A file without a content type gets one by its name or its first
  /// bytes. Files that break a rule of genai::ResultFile become an error result that says so.
  static TaskResult bundle(std::vector<ResultFile> files);
  /// The task failed here. `text` gives people the reason; its first 4096 bytes are sent. The
  /// dispatcher may try the task again.
  static TaskResult error(std::string text, std::optional<int> exit_code = std::nullopt);
  /// The task failed, and every other attempt would fail in the same way: the task ends with this
  /// error.
  static TaskResult impossible(std::string text);
  /// The result would be larger than kMaxResultBytes: the task ends with this error.
  static TaskResult too_large(std::string text);
  /// A time limit of the handler itself has passed. (The library keeps the time limit of the task.)
  static TaskResult time_limit(std::string text);
  /// This node has a problem, not the task: its disk is full, or its program is missing, for
  /// example. The task goes to another node and is not blamed. This node gets no work for a while.
  /// `reason` is for people.
  static TaskResult returned(std::string reason);

  Kind kind = Kind::kOk;
  std::string data;
  std::string content_type;
  std::vector<ResultFile> files;  // if it is not empty, data and content_type do not count
  std::string error_text;
  std::optional<int> exit_code;
  /// How much of the run time was needed to load the model; 0 if the model was in memory. With this
  /// figure the dispatcher decides whether a task should wait for a node that has its model loaded.
  std::uint64_t load_ms = 0;
  /// The models that are in memory now, if they may have changed: see Node::set_loaded_models. The
  /// list is ignored if a name has more than 128 bytes or is not UTF-8.
  std::optional<std::vector<std::string>> loaded_models;
  /// 0, or the code of an error in SPEC.md's table of Result info: 503, 505 or 513. The functions
  /// above set it.
  std::uint16_t code = 0;
};

/// The library's side of a running task. It is valid until the handler returns; the context of a
/// Reply is valid as long as the Reply. Thread-safe.
class GENAI_EXPORT TaskContext {
 public:
  virtual ~TaskContext();

  /// Reports how much is done. `fraction` is 0 to 1; other values are clamped to that range. At
  /// most 4096 bytes of `text` are sent. The library sends at most about ten reports a second, and
  /// always the latest one; a report may get lost. Never blocks.
  virtual void progress(double fraction, std::string_view text = {}) = 0;

  /// Returns true once nobody wants the result any more, or Task::time_limit_ms has passed. Then
  /// the handler should return soon, with any result. The library reports a passed time limit
  /// itself.
  virtual bool aborted() const = 0;
  /// Sleeps until the task is aborted, but at most for `timeout`. Returns aborted().
  virtual bool wait_aborted(std::chrono::milliseconds timeout) = 0;
  /// Sets a callback that is called once when the task is aborted, on the thread of Node::run. If
  /// the task is already aborted, it is called at once. It replaces an earlier callback. It is not
  /// called after the handler has returned or the reply was given. It must be quick, must not
  /// throw, and must not call this context. It may call Reply::finish().
  virtual void on_abort(std::function<void()> callback) = 0;
};

/// Executes a task. It is called on a worker thread, at once on as many threads as the node has
/// slots. An exception becomes an error result with the text of the exception.
using Handler = std::function<TaskResult(const Task&, TaskContext&)>;

/// The right to answer one task. You may move it to another thread and answer there. The task takes
/// a slot until the answer. A Reply that is destroyed without an answer gives an error result that
/// says so. A Reply may live longer than its Node: then an answer does nothing.
class GENAI_EXPORT Reply {
 public:
  /// For tests of a handler. `finish` is called once, with the answer, or with nothing if the Reply
  /// is destroyed without one.
  Reply(std::shared_ptr<TaskContext> context,
        std::function<void(std::optional<TaskResult>)> finish);
  Reply(Reply&&) noexcept;
  Reply& operator=(Reply&&) noexcept;
  ~Reply();

  /// Gives the answer. Only the first answer counts. Never blocks.
  void finish(TaskResult result);
  /// Do not call it after the Reply was moved to another one.
  TaskContext& context() const { return *context_; }

 private:
  std::shared_ptr<TaskContext> context_;
  std::function<void(std::optional<TaskResult>)> finish_;
};

/// A handler that may answer later. The library calls it for one task after the other, on one
/// thread of its own: start the work, keep the Reply, and return. An exception becomes an error
/// result with the text of the exception.
struct AsyncHandler {
  std::function<void(const Task&, Reply)> call;
};

/// Something that a program may want to log.
struct Event {
  enum class Kind {
    kJoined,         // the broker has welcomed the node, for the first time or again
    kNoBroker,       // no broker answers; repeated once a minute
    kReconnecting,   // the session was interrupted; text: the reason
    kRefused,        // the broker refuses the node now; text: the reason. The node tries again
    kProtocolError,  // the peer sent a wrong frame, or says that we did; text: the details
    kTaskStarted,
    kTaskDone,
    kTaskFailed,    // text: the error
    kTaskAborted,   // text: the reason
    kTaskReturned,  // the node left, or the handler returned TaskResult::returned; text: the reason
    kLeaving,       // text: the reason that leave() was given
    kLeft,
    kSessionReplaced,  // another process serves under this node_id
  };
  Kind kind;
  std::string task_id;  // only of kTask... events, like `attempt`
  std::uint32_t attempt = 0;
  std::uint64_t run_ms = 0;  // of a task that has ended: how long it ran
  std::string text;          // a peer may have sent a part of it: escape it before printing
  std::optional<int> exit_code = {};  // of kTaskFailed, if the handler gave one
};
/// It is called on the thread of Node::run. It must be quick and must not throw.
using EventCallback = std::function<void(const Event&)>;

/// How Node::run ended.
struct RunEnd {
  enum class Kind {
    kLeft,             // after leave() or force()
    kSessionReplaced,  // another process serves under this node_id
    kGaveUp,           // after leave(): nobody acknowledged the last results in drain_timeout
  };
  Kind kind = Kind::kLeft;
  std::string text;  // for people
};

/// One session of one node. Any thread may call leave, force and set_loaded_models at any time.
class GENAI_EXPORT Node {
 public:
  /// Throws std::invalid_argument if config_problem finds a problem. If the program handles signals
  /// by a descriptor (signalfd), block them before: the threads of the library inherit the mask.
  Node(NodeConfig config, Handler handler, EventCallback on_event = {});
  Node(NodeConfig config, AsyncHandler handler, EventCallback on_event = {});
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Serves until the node has left or its session was replaced. Call it once. If no broker
  /// answers, it goes on trying. It returns after all handlers have returned. Tasks whose Reply is
  /// not yet answered then are aborted, and a later answer does nothing. Throws std::system_error
  /// if the system refuses a socket or a descriptor.
  RunEnd run();

  /// Makes the node leave, and returns at once. The node accepts no new tasks, gives back the tasks
  /// that have not started, and finishes the others. Then it waits until all results are
  /// acknowledged, at most for drain_timeout, and says goodbye; then run() returns. If no broker
  /// answers, the running tasks get 10 min.
  void leave(std::string reason = {});
  /// Aborts the running tasks and gives them back. run() returns within about 4 s if the handlers
  /// return when they are aborted.
  void force();

  /// Sets the models that are in memory now. The next heartbeat tells the broker.
  void set_loaded_models(std::vector<std::string> models);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genai::node
