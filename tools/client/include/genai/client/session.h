// A client for programs with an event loop: it never blocks, and passes its answers to callbacks.
//
//   genai::client::Session session({.endpoint = "tcp://127.0.0.1:7710"});
//   genai::client::TaskRequest request;
//   request.model = "sdxl";
//   request.payload = "a lighthouse at dusk";
//   session.submit(request, [&](genai::client::TaskResult result) {
//     if (keep(result)) session.acknowledge({result.id});  // the dispatcher may drop the picture
//   });
//   for (pollfd wait{session.fd(), POLLIN, 0}; session.open_tasks() > 0; session.process())
//     poll(&wait, 1, -1);
//
// genai/client.h has Client, whose calls do the same and block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "genai/client/errors.h"
#include "genai/client/types.h"
#include "genai/export.h"

namespace genai::client {

/// Gets the answer to a request, or the reason why there is none. It may be empty.
template <class T>
using Callback = std::function<void(Answer<T>)>;

/// The answer to a request that is done and brings no value.
struct Done {};

/// The callbacks for one task. Each of them may be empty.
struct TaskCallbacks {
  /// Called once for each submit(), when the task has ended. It is also called when the dispatcher
  /// refuses the task: then `refused` is true, `status` is kFailed, and `code` says why. It is not
  /// called after Watch::kNone has ended the watch. A task that was submitted with Watch::kNone
  /// calls it only for a refusal.
  std::function<void(TaskResult)> result = {};
  /// Called once, before `result`, when the dispatcher has accepted or refused the task.
  std::function<void(const Verdict&)> verdict = {};
  /// Called for each change and each progress of a task that is watched with Watch::kProgress.
  std::function<void(const TaskUpdate&)> update = {};
};

/// One connection to the dispatcher.
///
/// Threads: one thread at a time may use a Session; it may be another thread each time. A Session
/// starts no thread but ZeroMQ's. That thread blocks all signals and calls none of your code.
///
/// Callbacks: only process() calls them, one after the other. No other function of this class does.
/// A callback may use the Session, but it must not destroy it, and must not call process(). If a
/// callback throws, process() throws the same exception, and the next process() calls the callbacks
/// that are left.
///
/// A Session remembers each submitted task until its result has come. It repeats messages that were
/// not answered, it reconnects, and it submits the tasks again that a restarted dispatcher has
/// forgotten. When a Session is destroyed, it calls no callback any more. The tasks go on.
class GENAI_EXPORT Session {
 public:
  /// Connects in the background. Throws ClientError: kBadField if the endpoint is wrong, kMalformed
  /// or kNotAllowed if a key is wrong, kSystem if the system has no descriptor left.
  explicit Session(Config config);
  /// Sends the messages that are still waiting. If the dispatcher is away, it gives up after one
  /// second.
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Returns a descriptor that is readable whenever process() has something to do: a message has
  /// come, a timer is due, or one of your calls has left something to send. It stays readable until
  /// process() is called. So poll, select and epoll (level- or edge-triggered) can wait for it, and
  /// need no timeout. It stays the same descriptor when the Session reconnects. Do not read from
  /// it.
  int fd() const;
  /// Sends, receives, and calls the callbacks that are due. Never waits. Call it whenever fd() is
  /// readable; a call at another time does no harm. One call handles a limited number of messages,
  /// so that the other parts of your loop get their turn. Throws ClientError kSystem if the
  /// connection cannot be used any more.
  void process();

  /// Submits a task, and returns its id: the id in the request, or a new UUIDv7. Fails at once, and
  /// calls no callback, if the request cannot be sent (kBadField, kMalformed, kTooLarge). The
  /// payload is not copied.
  ///
  /// You may submit the same request under the same id again at any time. It is the same task then,
  /// and the callbacks of both submits are called. If the id is open here with another content, the
  /// callbacks get kIdConflict.
  Answer<std::string> submit(TaskRequest request, TaskCallbacks callbacks,
                             Watch watch = Watch::kResult);
  Answer<std::string> submit(TaskRequest request, std::function<void(TaskResult)> result) {
    return submit(std::move(request), TaskCallbacks{std::move(result)});
  }
  /// Submits all of these tasks, or none of them if one cannot be sent or if two have the same id.
  /// They are sent together. The callbacks are called for each task. Returns the ids, in the order
  /// of `requests`.
  Answer<std::vector<std::string>> submit(std::vector<TaskRequest> requests,
                                          TaskCallbacks callbacks, Watch watch = Watch::kResult);

  /// Watches tasks that were submitted earlier, or by another client. `known` gets the tasks that
  /// the dispatcher knows; the callbacks are never called for the others. Watch::kNone ends the
  /// watch instead; results of these tasks that you have and have not acknowledged stay with the
  /// dispatcher, as after leave().
  void watch(const std::vector<std::string>& ids, TaskCallbacks callbacks,
             Watch watch = Watch::kResult, Callback<std::vector<TaskInfo>> known = {});

  /// Says that you have stored these results where they survive a crash of your program. The
  /// dispatcher drops their data. While results are not acknowledged, the dispatcher sends at most
  /// 1024 of them, or 64 MiB, to one connection. Ids of other tasks are ignored.
  void acknowledge(const std::vector<std::string>& ids);
  /// Says that you could not store these results. They stay with the dispatcher, and watch() brings
  /// them again.
  void leave(const std::vector<std::string>& ids);
  /// Makes room for further results, when you have as many unacknowledged ones as the dispatcher
  /// sends. Results that you have can still be acknowledged.
  void set_aside();

  /// Returns how many tasks are open. A watched task is open until it has ended; a task that is not
  /// watched is open until its verdict comes.
  std::size_t open_tasks() const;
  bool is_open(const std::string& id) const;
  /// Returns whether any message has come from the dispatcher yet. A dispatcher that does not
  /// accept our key sends nothing.
  bool has_heard() const;

  // Questions. Each callback is called once. It gets the answer, or the dispatcher's refusal, or
  // kBadField if the question cannot be sent, or kTimeout after Config::timeout. After kTimeout it
  // is not known whether the dispatcher has done it; you may ask again.
  // A question reaches the dispatcher after the tasks that were submitted before it. There is one
  // exception: when tasks of 16 MiB, or 65,536 tasks, are under way, further tasks wait here, and a
  // question does not.

  /// Aborts tasks. Brings one verdict for each id, in their order: kOk, kAlreadyTerminal or
  /// kUnknownTask.
  void cancel(const std::vector<std::string>& ids, Callback<std::vector<Verdict>> done);
  /// Submits the content of Failed tasks again, under new ids. The Failed tasks stay as they are.
  /// Brings one verdict for each entry, in their order, with the new id. kUnknownTask and
  /// kNotFailed concern the old task, all other codes concern the new one. The answer is kBadField
  /// if two entries have the same new id. The new tasks are not watched: see watch().
  void replay(const std::vector<Replay>& entries, Callback<std::vector<Verdict>> done);
  /// Makes the dispatcher forget Failed tasks, with their payloads and logs. Brings one verdict for
  /// each id, in their order: kOk, kUnknownTask or kNotFailed.
  void purge(const std::vector<std::string>& ids, Callback<std::vector<Verdict>> done);
  /// Makes the dispatcher forget tasks that have ended, with their results and logs. Brings one
  /// verdict for each id, in their order: kOk, kUnknownTask or kNotEnded.
  void forget(const std::vector<std::string>& ids, Callback<std::vector<Verdict>> done);
  /// Reads a part of a result, and acknowledges nothing: it may be read as often as wanted, until
  /// the dispatcher drops it. Brings at most `bytes` and at most 8 MiB from `offset` on; with 0
  /// bytes only what is told of the task and its result. kUnknownTask; kDataLost if the disk of the
  /// dispatcher does not have it any more.
  void fetch(const std::string& id, std::uint64_t offset, std::uint64_t bytes,
             Callback<ResultPart> done);
  /// Changes the priority (0 to 9) of tasks that wait in the queue. Brings one verdict for each id,
  /// in their order: kOk, kUnknownTask, kNotQueued or kAlreadyTerminal.
  void reprioritise(const std::vector<std::string>& ids, std::uint8_t priority,
                    Callback<std::vector<Verdict>> done);
  /// Brings the tasks that the dispatcher knows, in the order of `ids`, with their logs.
  void status(const std::vector<std::string>& ids, Callback<std::vector<TaskInfo>> done);
  /// Brings one page of the list of tasks, in the order of their ids: all of them, or all with one
  /// status. The page has at most `limit` (1 to 4096) tasks, from the first one behind the id
  /// `after` (empty: from the beginning). The tasks have no logs.
  void list(std::optional<Status> status, const std::string& after, std::size_t limit,
            Callback<TaskPage> done);
  /// Brings the nodes that the dispatcher knows. `measured`: with the measurements of each node.
  void nodes(bool measured, Callback<std::vector<NodeInfo>> done);
  /// Brings the state and the figures of the dispatcher.
  void stats(Callback<Stats> done);
  /// Brings the dispatcher's epoch. If it differs from the last one, the dispatcher was restarted.
  void ping(Callback<std::uint64_t> done);
  /// Drains a node: with `on` it gets no new work, without it does again. With an empty id the
  /// dispatcher itself is drained: it accepts no new tasks. The answer is kUnknownNode if no node
  /// with this id was ever connected.
  void drain(const std::string& node_id, bool on, Callback<Done> done);

  /// Sets a callback. It gets a sentence for people when the dispatcher is silent, when it is back,
  /// and when it has forgotten tasks.
  void on_notice(std::function<void(const std::string&)> callback);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genai::client
