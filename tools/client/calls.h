// Who is called with what: the callbacks of a program around the session core. Pure:
// no clock, no socket.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "genai/client/session.h"
#include "tools/client/session_core.h"

namespace genai::client {

/// What is to be sent.
struct Outgoing {
  bool reconnect = false;  // on a fresh connection, and nothing of before
  std::vector<std::string> frames;
};

/// Not thread-safe. Program code runs in call() alone, where it may use this object again.
/// After any other call, carry out take_outgoing() and call().
class Calls {
 public:
  using NewId = std::function<TaskId()>;

  /// `new_id` makes an id for a task that has none.
  Calls(const Config& config, NewId new_id, const Now& now);
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  Answer<std::vector<std::string>> submit(std::vector<TaskRequest> requests,
                                          TaskCallbacks callbacks, Watch watch, const Now& now);
  void watch(const std::vector<std::string>& ids, TaskCallbacks callbacks, Watch watch,
             Callback<std::vector<TaskInfo>> known, const Now& now);
  void acknowledge(const std::vector<std::string>& ids, const Now& now);
  void leave(const std::vector<std::string>& ids, const Now& now);
  void set_aside(const Now& now) { core_.handle(SessionCore::SetAside{}, now); }
  bool has_heard() const { return heard_; }
  std::size_t open_tasks() const { return core_.open_tasks(); }
  bool is_open(const std::string& id) const;

  using Verdicts = Callback<std::vector<Verdict>>;
  void cancel(const std::vector<std::string>& ids, Verdicts done, const Now& now);
  void replay(const std::vector<Replay>& entries, Verdicts done, const Now& now);
  void purge(const std::vector<std::string>& ids, Verdicts done, const Now& now);
  void forget(const std::vector<std::string>& ids, Verdicts done, const Now& now);
  void fetch(const std::string& id, std::uint64_t offset, std::uint64_t bytes,
             Callback<ResultPart> done, const Now& now);
  void reprioritise(const std::vector<std::string>& ids, std::uint8_t priority, Verdicts done,
                    const Now& now);
  void status(const std::vector<std::string>& ids, Callback<std::vector<TaskInfo>> done,
              const Now& now);
  void list(std::optional<Status> status, const std::string& after, std::size_t limit,
            Callback<TaskPage> done, const Now& now);
  void nodes(bool measured, Callback<std::vector<NodeInfo>> done, const Now& now);
  void stats(Callback<Stats> done, const Now& now);
  void ping(Callback<std::uint64_t> done, const Now& now);
  void drain(const std::string& node_id, bool on, Callback<Done> done, const Now& now);
  void on_notice(std::function<void(const std::string&)> callback) {
    notice_ = std::move(callback);
  }

  void handle(const Blob& frame, const Now& now);
  /// Repeats what has no answer, and ends what was waited for too long.
  void expire(const Now& now);
  Duration next_deadline() const;
  Outgoing take_outgoing() { return std::exchange(outgoing_, {}); }
  /// Calls what is due now. What a callback asks for is due the next time. When a callback throws,
  /// those behind it are still due.
  void call();
  /// Aborts when it contradicts itself. O(open tasks).
  void check() const { core_.check(); }

 private:
  /// One who wants to hear of a task.
  struct Listener {
    std::shared_ptr<const TaskCallbacks> callbacks;
    bool has_verdict = false;
  };
  struct Task {
    std::vector<Listener> listeners;
    Watch watch = Watch::kResult;
  };
  using Replied = std::function<void(Answer<ClientReply>, const Now&)>;
  struct Question {
    Duration until;
    Replied replied;
  };
  template <class Entry, class Query, class Gather, class Out>
  struct Pages;

  void listen(const TaskId& id, std::shared_ptr<const TaskCallbacks> callbacks, bool has_verdict,
              Watch watch);
  void forget_watch(const TaskId& id, const std::shared_ptr<const TaskCallbacks>& callbacks,
                    const Now& now);
  void take_events(const Now& now);
  void on(SessionCore::Reconnect, const Now& now);
  void on(SessionCore::Send& send, const Now& now);
  void on(SessionCore::Reply& reply, const Now& now);
  void on(const msg::Acceptance& acceptance, const Now& now);
  void on(const msg::Deliver::Entry& entry, const Now& now);
  void on(const msg::Update::Entry& entry, const Now& now);
  void on(const LogEvent& event, const Now& now);
  void refuse(const std::vector<Listener>& listeners, const Verdict& verdict);
  void tell(const Listener& listener, const Verdict& verdict);

  template <class Query>
  void ask(Query query, Replied replied, const Now& now);
  template <class M, class Query, class Convert, class Out>
  void ask_once(Query query, Convert convert, Callback<Out> done, const Now& now);
  template <class M, class Entry, class Query, class Gather, class Out>
  void ask_pages(std::vector<Entry> entries, Query query, Gather gather, Callback<Out> done,
                 const Now& now);
  template <class M, class State>
  void next_page(std::shared_ptr<State> pages, const Now& now);
  template <class M, class Query>
  void ask_verdicts(const std::vector<std::string>& ids, Query query, Verdicts done,
                    const Now& now);
  template <class Out>
  void answer(const Callback<Out>& done, Answer<std::type_identity_t<Out>> answer);

  const Config config_;
  const NewId new_id_;
  SessionCore core_;
  bool heard_ = false;  // anything, ever
  std::unordered_map<TaskId, Task> tasks_;
  std::unordered_map<std::uint64_t, Question> questions_;  // by request number
  std::deque<std::function<void()>> due_;
  std::function<void(const std::string&)> notice_;
  Outgoing outgoing_;
};

}  // namespace genai::client
