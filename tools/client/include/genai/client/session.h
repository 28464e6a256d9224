// A client for programs with an event loop: it never blocks, and tells its answers by callbacks.
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
// genai/client.h has Client, which does the same with calls that block.
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

/// Called with what came of a request.
template <class T>
using Callback = std::function<void(Answer<T>)>;

/// The answer to a question that has only this one.
struct Done {};

/// What a program wants to hear of a task. Each may be empty.
struct TaskCallbacks {
  /// Once for each submit(), when the task has ended. Also when the dispatcher refuses it: then
  /// `refused` is true, `status` is Failed, and `code` says why. Never after the watch was ended by
  /// Watch::kNone, and, with Watch::kNone from the beginning, only of a refusal.
  std::function<void(TaskResult)> result = {};
  /// Once, when the dispatcher has accepted or refused the task; before `result`.
  std::function<void(const Verdict&)> verdict = {};
  /// With Watch::kProgress: each change and progress.
  std::function<void(const TaskUpdate&)> update = {};
};

/// One connection to the dispatcher.
///
/// Threads: one at a time may use a Session, and it need not be always the same one. Session starts
/// no thread but ZeroMQ's, which blocks all signals and calls none of your code.
///
/// Callbacks are called by process() alone, one after the other, never from inside another
/// function. A callback may use the Session, but must neither destroy it nor call process(). When a
/// callback throws, process() throws that on; the callbacks behind it wait for the next process().
///
/// What was submitted is kept here until its result has come: the Session repeats what was not
/// answered, reconnects, and submits again what a restarted dispatcher has forgotten. The end of a
/// Session forgets all that: its callbacks are not called any more, and the tasks go on.
class GENAI_EXPORT Session {
 public:
  /// Connects in the background. Throws ClientError: kBadField of a wrong endpoint, kMalformed or
  /// kNotAllowed of a wrong key, kSystem when there is no descriptor left.
  explicit Session(Config config);
  /// Sends what was asked for before, which takes up to one second when the dispatcher is away.
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Readable whenever process() has something to do: messages, timers, and what was asked for
  /// since the last process(). It stays readable until process() was called, so poll, select and
  /// epoll (level- or edge-triggered) can all wait for it, without a timeout. It stays the same
  /// descriptor over reconnects. Do not read from it.
  int fd() const;
  /// Sends, receives, and calls the callbacks that are due. Never waits. Call it whenever fd() is
  /// readable; to call it at other times does no harm. It handles a limited number of messages, so
  /// that the other things in your loop get their turn. Throws ClientError kSystem when the
  /// connection cannot be used any more.
  void process();

  /// Submits a task, and returns its id: the one in the request, or a new UUIDv7. Fails at once,
  /// and calls nothing, when the request could not be sent as it is (kBadField, kMalformed,
  /// kTooLarge). The payload is not copied.
  ///
  /// The same request under the same id may be submitted again at any time: it is the same task,
  /// and the callbacks of both submits are called. Another content gets kIdConflict.
  Answer<std::string> submit(TaskRequest request, TaskCallbacks callbacks,
                             Watch watch = Watch::kResult);
  Answer<std::string> submit(TaskRequest request, std::function<void(TaskResult)> result) {
    return submit(std::move(request), TaskCallbacks{std::move(result)});
  }
  /// All of them, or none if one of them could not be sent or two have the same id. They travel
  /// together. `callbacks` are called for each.
  Answer<std::vector<std::string>> submit(std::vector<TaskRequest> requests,
                                          TaskCallbacks callbacks, Watch watch = Watch::kResult);

  /// Follows tasks that were submitted elsewhere or before. `known` gets those that the dispatcher
  /// knows; nothing more is heard of the others. With Watch::kNone the tasks are followed no
  /// longer, and results that you have of them stay with the dispatcher, as by leave().
  void watch(const std::vector<std::string>& ids, TaskCallbacks callbacks,
             Watch watch = Watch::kResult, Callback<std::vector<TaskInfo>> known = {});

  /// You have these results where they survive a crash of yours: the dispatcher may drop their
  /// data. Until then it pushes at most 1024 results or 64 MiB to a connection. Ids of other tasks
  /// are ignored.
  void acknowledge(const std::vector<std::string>& ids);
  /// These results could not be kept. They stay with the dispatcher, for watch() to bring them
  /// again.
  void leave(const std::vector<std::string>& ids);
  /// Results that you have and have not acknowledged make room for others, beyond those 1024. They
  /// can still be acknowledged.
  void set_aside();

  /// How many watched tasks have not ended yet; of a task that is not watched, until its verdict.
  std::size_t open_tasks() const;
  bool is_open(const std::string& id) const;
  /// Whether anything has come from the dispatcher yet. One that does not take our key says
  /// nothing.
  bool has_heard() const;

  // Questions. Each callback is called once: with the answer, with the dispatcher's refusal, with
  // kBadField when the question could not be sent, or with kTimeout after Config::timeout. After a
  // timeout it is not known whether the dispatcher did what was asked; the same may be asked again.
  // A question comes to the dispatcher after the tasks that were submitted before it, unless so
  // many are under way (16 MiB, or 65,536 tasks) that they wait here.

  /// One verdict per id, in order: kOk, kAlreadyTerminal or kUnknownTask.
  void cancel(const std::vector<std::string>& ids, Callback<std::vector<Verdict>> done);
  /// Submits the content of Failed tasks again under new ids; the Failed ones stay as they are. One
  /// verdict per entry, in order, with the new id, a UUIDv7 where none was given. kUnknownTask and
  /// kNotFailed are about the old task. kBadField when two entries have the same new id. The new
  /// tasks are not watched: see watch().
  void replay(const std::vector<Replay>& entries, Callback<std::vector<Verdict>> done);
  /// Forgets Failed tasks with payload and log. One verdict per id, in order: kOk, kUnknownTask or
  /// kNotFailed.
  void purge(const std::vector<std::string>& ids, Callback<std::vector<Verdict>> done);
  /// Changes the priority (0 to 9) of tasks that wait. One verdict per id, in order: kOk,
  /// kUnknownTask, kNotQueued or kAlreadyTerminal.
  void reprioritise(const std::vector<std::string>& ids, std::uint8_t priority,
                    Callback<std::vector<Verdict>> done);
  /// The tasks that are known, in the order asked, with their logs.
  void status(const std::vector<std::string>& ids, Callback<std::vector<TaskInfo>> done);
  /// At most `limit` (1 to 4096) tasks in the order of their ids, from the first one behind `after`
  /// (empty: from the beginning); all or those of one status. Without logs.
  void list(std::optional<Status> status, const std::string& after, std::size_t limit,
            Callback<TaskPage> done);
  void nodes(bool measured, Callback<std::vector<NodeInfo>> done);
  void stats(Callback<Stats> done);
  /// The dispatcher's epoch: another number than before means that it was restarted.
  void ping(Callback<std::uint64_t> done);
  /// Stops (or resumes) giving work to a node. With an empty id the dispatcher takes no new tasks.
  void drain(const std::string& node_id, bool on, Callback<Done> done);

  /// Called with a sentence when the dispatcher is silent, comes back or forgot tasks.
  void on_notice(std::function<void(const std::string&)> callback);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genai::client
