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

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "genai/client/errors.h"
#include "genai/client/session.h"
#include "genai/client/types.h"
#include "genai/export.h"

namespace genai::client {

using Event = std::variant<TaskResult, TaskUpdate>;

/// A Session whose calls block until they are answered. One thread at a time may use a Client, and
/// everything happens inside the calls. While tasks are open, call it at least every few seconds:
/// else the dispatcher repeats itself, and a restart of the dispatcher is noticed late.
///
/// Calls throw ClientError: with kTimeout when the dispatcher does not answer in Config::timeout,
/// with kBadField of an argument that cannot be sent, else with the dispatcher's code.
class GENAI_EXPORT Client {
 public:
  explicit Client(Config config);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Throws what submit() would throw about this request before sending anything.
  static void check(const TaskRequest& request);

  /// Submits and returns the id once accepted; throws when refused. After a timeout it is not known
  /// whether the task was accepted: it stays submitted here, and its result may still come.
  std::string submit(TaskRequest request, Watch watch = Watch::kResult);
  /// One verdict per request, in order; requests without an id get theirs there. Throws kBadField
  /// or kTooLarge before anything is sent when a request could not be sent as it is, or two have
  /// the same id. An id that is open with another content gets kIdConflict.
  std::vector<Verdict> submit(std::vector<TaskRequest> requests, Watch watch = Watch::kResult);

  /// Follows tasks that were submitted elsewhere or before; those that are known come back, the
  /// others are absent. Watch::kNone: follows them no longer, and leaves them (see leave()).
  std::vector<TaskInfo> watch(const std::vector<std::string>& ids, Watch watch = Watch::kResult);

  /// The next result or update of any watched task; nothing after `timeout`, or at once when no
  /// watched task is left. Each result comes once.
  std::optional<Event> next(Millis timeout = kForever);
  /// The result of one watched task; nothing after `timeout`. Other events stay for next(). Throws
  /// kNotOpen when no result of that id can come.
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
  /// One verdict per entry, in order, with the new id, UUIDv7s where none was given: kUnknownTask
  /// and kNotFailed are about the old one, the others as of submit(). Throws kBadField before
  /// anything is sent when two entries have the same new id. Replays are not watched: see watch().
  /// After a timeout it is not known which were accepted: with ids of your own the same call can be
  /// repeated, and makes nothing twice.
  std::vector<Verdict> replay(const std::vector<Replay>& entries);
  /// Forgets Failed tasks with payload and log; they cannot be replayed any more. One verdict per
  /// id, in order: kOk, kUnknownTask or kNotFailed.
  std::vector<Verdict> purge(const std::vector<std::string>& ids);
  /// Changes the priority (0 to 9) of tasks that wait. One verdict per id, in order: kOk,
  /// kUnknownTask, kNotQueued or kAlreadyTerminal.
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
