// A client of the dispatcher: submit tasks, wait for results, ask about tasks and nodes.
//
//   genai::client::Client client({.endpoint = "tcp://127.0.0.1:7710"});
//   genai::client::TaskRequest request;
//   request.model = "sdxl";
//   request.payload = "a lighthouse at dusk";
//   const std::string id = client.submit(request);
//   const auto result = client.wait(id);
//   if (result && keep(result->data))  // for example in a file, synced and with its final name
//     client.acknowledge();            // now the dispatcher may drop the picture
//   else if (result)
//     client.leave(id);                // the dispatcher keeps it: watch({id}) brings it again
//
// The library remembers each submitted task until its result has come. It repeats messages that
// were not answered, it reconnects, and it submits the tasks again that a restarted dispatcher has
// forgotten. It is always safe to repeat a submit with the same id.
//
// The dispatcher drops the data of a result once the result is acknowledged. The library
// acknowledges a result only when the caller says so: by acknowledge(), or by the next call of
// next() or wait(). So store each result before that next call. Call leave() for a result that you
// could not store. A process that ends or is killed while it handles a result loses nothing:
// watch() with the task's id brings the result again, until the dispatcher's --result-retention-s
// (24 h by default) has passed.
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

/// Something that happened to a watched task.
using Event = std::variant<TaskResult, TaskUpdate>;

/// A Session whose calls block until they are answered.
///
/// Threads: one thread at a time may use a Client. Everything happens inside the calls. While tasks
/// are open, make a call at least every few seconds. Otherwise the dispatcher repeats its messages,
/// and this side learns late that the dispatcher was restarted.
///
/// Errors: a call throws ClientError. Its code is kTimeout if the dispatcher does not answer within
/// Config::timeout, kBadField if an argument cannot be sent, kSystem if the connection cannot be
/// used any more, kBadAnswer if the answer is of the wrong type, and else the dispatcher's code.
class GENAI_EXPORT Client {
 public:
  /// Connects in the background. Throws ClientError: kBadField if the endpoint is wrong, kMalformed
  /// or kNotAllowed if a key is wrong, kSystem if the system has no descriptor left.
  explicit Client(Config config);
  /// Sends the acknowledgements that wait, for at most one second. The result that was returned
  /// last is not acknowledged.
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Throws the error that submit() would throw before it sends this request, if there is one.
  static void check(const TaskRequest& request);

  /// Submits a task, waits until it is accepted, and returns its id. Throws if the dispatcher
  /// refuses it. After kTimeout it is not known whether the task was accepted: the library goes on
  /// submitting it, and its result may still come.
  std::string submit(TaskRequest request, Watch watch = Watch::kResult);
  /// Submits tasks, and returns one verdict for each request, in their order. The verdict of a
  /// request without an id has the id that the library made. Throws kBadField, kMalformed or
  /// kTooLarge, and sends nothing, if one of the requests cannot be sent or if two have the same
  /// id. The verdict is kIdConflict if the id is open here with another content.
  std::vector<Verdict> submit(std::vector<TaskRequest> requests, Watch watch = Watch::kResult);

  /// Watches tasks that were submitted earlier, or by another client. Returns the tasks that the
  /// dispatcher knows. Watch::kNone ends the watch instead. If the result that was returned last
  /// belongs to one of these tasks, it then stays with the dispatcher, as after leave().
  std::vector<TaskInfo> watch(const std::vector<std::string>& ids, Watch watch = Watch::kResult);

  /// Waits for the next result or update of any watched task, and returns it. Returns nothing after
  /// `timeout`, or at once if no watched task is left. Each result is returned once.
  std::optional<Event> next(Millis timeout = kForever);
  /// Waits for the result of one watched task, and returns it. Returns nothing after `timeout`.
  /// Other events wait for next(). Throws kNotOpen if no result of this task can come.
  std::optional<TaskResult> wait(const std::string& id, Millis timeout = kForever);
  /// Acknowledges every result that was returned so far. Use it if you do not call next() or
  /// wait() again soon.
  void acknowledge();
  /// Says that the result that was returned last could not be stored. If it is the result of this
  /// task, it is not acknowledged and stays with the dispatcher; watch() brings it again. Does
  /// nothing if it is the result of another task. Never waits for an answer.
  void leave(const std::string& id);
  /// Returns how many watched tasks have not ended yet.
  std::size_t open_tasks() const;

  /// Aborts tasks. Returns one verdict for each id, in their order: kOk, kAlreadyTerminal or
  /// kUnknownTask.
  std::vector<Verdict> cancel(const std::vector<std::string>& ids);
  /// Submits the content of Failed tasks again, under new ids. The Failed tasks stay as they are.
  /// Returns one verdict for each entry, in their order, with the new id. kUnknownTask and
  /// kNotFailed concern the old task, all other codes concern the new one, as in submit(). Throws
  /// kBadField, and sends nothing, if two entries have the same new id. The new tasks are not
  /// watched: see watch(). After kTimeout it is not known which entries were accepted. If you gave
  /// the new ids yourself, you can repeat the call: no task is made twice.
  std::vector<Verdict> replay(const std::vector<Replay>& entries);
  /// Makes the dispatcher forget Failed tasks, with their payloads and logs: they cannot be
  /// replayed any more. Returns one verdict for each id, in their order: kOk, kUnknownTask or
  /// kNotFailed.
  std::vector<Verdict> purge(const std::vector<std::string>& ids);
  /// Makes the dispatcher forget tasks that have ended, with their results and logs. Returns one
  /// verdict for each id, in their order: kOk, kUnknownTask or kNotEnded.
  std::vector<Verdict> forget(const std::vector<std::string>& ids);
  /// Reads a part of a result, and acknowledges nothing: it may be read as often as wanted, until
  /// the dispatcher drops it. Returns at most `bytes` and at most 8 MiB from `offset` on; with 0
  /// bytes only what is told of the task and its result. Throws kUnknownTask, and kDataLost if the
  /// disk of the dispatcher does not have the bytes any more.
  ResultPart fetch(const std::string& id, std::uint64_t offset = 0,
                   std::uint64_t bytes = UINT64_MAX);
  /// Changes the priority (0 to 9) of tasks that wait in the queue. Returns one verdict for each
  /// id, in their order: kOk, kUnknownTask, kNotQueued or kAlreadyTerminal.
  std::vector<Verdict> reprioritise(const std::vector<std::string>& ids, std::uint8_t priority);
  /// Returns the tasks that the dispatcher knows, in the order of `ids`, with their logs.
  std::vector<TaskInfo> status(const std::vector<std::string>& ids);
  /// Returns tasks in the order of their ids: all of them, or all with one status. Returns at most
  /// `limit` tasks. They have no logs.
  std::vector<TaskInfo> list(std::optional<Status> status = {}, std::size_t limit = SIZE_MAX);
  /// Returns one page of that list: at most `limit` (1 to 4096) tasks, from the first one behind
  /// the id `after` (empty: from the beginning).
  TaskPage list_page(std::optional<Status> status, const std::string& after, std::size_t limit);
  /// Returns the nodes that the dispatcher knows. `measured`: with the measurements of each node.
  std::vector<NodeInfo> nodes(bool measured = false);
  /// Returns the state and the figures of the dispatcher.
  Stats stats();
  /// Returns the dispatcher's epoch. If it differs from the last one, the dispatcher was restarted.
  std::uint64_t ping();
  /// Drains a node: with `on` it gets no new work, without it does again. With an empty id the
  /// dispatcher itself is drained: it accepts no new tasks. Throws kUnknownNode if no node with
  /// this id was ever connected.
  void drain(const std::string& node_id, bool on = true);

  /// Sets a callback. It gets a sentence for people when the dispatcher is silent, when it is back,
  /// and when it has forgotten tasks. It is called inside the calls of this class.
  void on_notice(std::function<void(const std::string&)> callback);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genai::client
