// The public client: the session core, a socket, and waiting.
#include "genai/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <unordered_map>
#include <unordered_set>

#include "protocol/base/limits.h"
#include "protocol/transport/endpoint.h"
#include "protocol/transport/socket.h"
#include "protocol/transport/system.h"
#include "tools/client/convert.h"
#include "tools/client/session_core.h"

namespace genai::client {
namespace {

constexpr int kQueueMessages = 10'000;
constexpr int kLingerMs = 1000;
// How soon a frame that the socket did not take (not connected yet) is tried again.
constexpr Duration kUnsentRetry = from_ms(20);
// While more results are at hand, acknowledgements wait for others to go with: so many, so long.
constexpr std::size_t kAckGroup = 256;
constexpr Duration kAckDelay = from_ms(200);

using Curve = std::optional<transport::CurveClient>;

transport::Dealer connect(transport::Context& context, const std::string& endpoint,
                          const Curve& curve) {
  return transport::Dealer(context,
                           {limits::kMaxFrameBytes, kQueueMessages, kQueueMessages, kLingerMs},
                           endpoint, curve);
}

Curve curve_of(const Config& config) {
  auto curve = transport::curve_client(config.key_file, config.server_key);
  if (!curve) throw ClientError(std::string(genai::name(curve.error().code)), curve.error().detail);
  return std::move(*curve);
}

Config checked(Config config) {
  if (auto problem = transport::endpoint_problem(config.endpoint))
    throw ClientError("bad_field", config.endpoint + ": " + *problem);
  return config;
}

std::vector<TaskId> parse_ids(const std::vector<std::string>& texts) {
  std::vector<TaskId> ids;
  for (const std::string& text : texts) {
    auto id = TaskId::parse(text);
    if (!id)
      throw ClientError("bad_field", "'" + text + "': a task id is 1 to 64 of [A-Za-z0-9._:-]");
    ids.push_back(std::move(*id));
  }
  return ids;
}

TaskId id_or_new(const std::string& text) {
  return text.empty() ? transport::new_task_id() : parse_ids({text}).front();
}

/// Calls `visit` with one page of `all` after the other: small ones, since an answer about a task
/// may carry its whole log.
template <class T, class Visit>
void each_page(const std::vector<T>& all, Visit visit) {
  for (std::size_t at = 0; at < all.size(); at += limits::kMaxStatusIds) {
    const std::size_t end = std::min(all.size(), at + limits::kMaxStatusIds);
    visit(std::vector<T>(all.begin() + static_cast<std::ptrdiff_t>(at),
                         all.begin() + static_cast<std::ptrdiff_t>(end)));
  }
}

msg::Submission checked_submission(const TaskRequest& request, const TaskId& id) {
  auto submission = submission_from(request, id);
  if (submission) return std::move(*submission);
  throw ClientError(std::string(genai::name(submission.error().code)), submission.error().detail);
}

Duration deadline_after(Millis timeout, Duration now) {
  return timeout == kForever ? kNever : now + timeout;
}

}  // namespace

struct Client::Impl {
  explicit Impl(Config c)
      : config(checked(std::move(c))),
        curve(curve_of(config)),
        socket(connect(context, config.endpoint, curve)),
        core(transport::read_clock(), config.acknowledge) {}
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// One turn: send, wait until something comes or `until`, handle it.
  void turn(Duration until);
  void carry_out();
  void flush();
  template <class Done>
  bool run(Duration until, Done done);
  template <class M>
  Message ask(M message);
  template <class M>
  M expect(Message message);
  template <class M>
  std::vector<TaskInfo> tasks_of(M message, bool* more = nullptr);
  template <class Reply, class Entry, class Question>
  std::vector<Verdict> verdicts_on(const std::vector<Entry>& entries, Question question);
  [[noreturn]] void time_out() const;

  /// The caller has come back: what it was given is safe. Acknowledges now or, while there is more
  /// for it at hand, soon.
  void come_back(bool more_at_hand);
  void acknowledge();
  /// Of these, the result that the caller has now stays with the dispatcher.
  void leave(const std::vector<TaskId>& ids);
  Event give(std::deque<Event>::iterator event);

  Config config;
  const Curve curve;
  transport::Context context;
  transport::Dealer socket;
  SessionCore core;
  std::deque<std::string> unsent;
  bool heard = false;  // anything, ever
  std::deque<Event> events;
  std::optional<TaskId> given;  // the result that the caller has now
  std::vector<TaskId> safe;     // to be acknowledged
  Duration safe_since{0};       // the first of them
  std::unordered_map<std::string, Verdict> verdicts;
  std::unordered_map<std::uint64_t, Message> replies;
  std::function<void(const std::string&)> notice;
};

/// Nobody knows what became of the caller's last result, so that it is not acknowledged.
Client::Impl::~Impl() {
  given.reset();
  notice = {};
  try {
    come_back(false);
  } catch (const std::exception&) {
    // Then the results stay with the dispatcher.
  }
}

void Client::Impl::come_back(bool more_at_hand) {
  const Duration now = transport::read_clock().mono;
  if (given) {
    if (safe.empty()) safe_since = now;
    safe.push_back(std::move(*given));
    given.reset();
  }
  if (safe.empty()) return;
  if (more_at_hand && safe.size() < kAckGroup && now < safe_since + kAckDelay) return;
  acknowledge();
  // The socket of a caller that is slow is read although results are at hand.
  if (more_at_hand) turn(Duration{0});
}

void Client::Impl::acknowledge() {
  core.acknowledge(std::exchange(safe, {}));
  carry_out();
}

void Client::Impl::leave(const std::vector<TaskId>& ids) {
  if (!given || std::ranges::find(ids, *given) == ids.end()) return;
  core.leave({*given});
  given.reset();
  carry_out();
}

Event Client::Impl::give(std::deque<Event>::iterator event) {
  Event taken = std::move(*event);
  events.erase(event);
  if (const auto* result = std::get_if<TaskResult>(&taken)) given = TaskId::parse(result->id);
  return taken;
}

void Client::Impl::flush() {
  while (!unsent.empty()) {
    // A copy goes to the socket: it keeps what it is given even when it cannot take it now.
    if (socket.send(unsent.front()) != transport::SendResult::kQueued) return;
    unsent.pop_front();
  }
}

void Client::Impl::carry_out() {
  Effects effects = core.take_effects();
  if (effects.reconnect) {
    unsent.clear();
    transport::renew(socket, [&] { return connect(context, config.endpoint, curve); });
  }
  for (std::string& frame : effects.frames) unsent.push_back(std::move(frame));
  for (auto& verdict : effects.verdicts)
    verdicts.insert_or_assign(verdict.task_id.str(), verdict_from(verdict));
  for (auto& event : effects.events) {
    if (const auto* result = std::get_if<msg::Deliver::Entry>(&event))
      events.emplace_back(result_from(*result));
    else
      events.emplace_back(update_from(std::get<msg::Update::Entry>(event)));
  }
  replies.merge(effects.replies);
  if (notice)
    for (const std::string& text : effects.notices) notice(text);
  flush();
}

void Client::Impl::turn(Duration until) {
  core.tick(transport::read_clock());
  carry_out();
  Duration wake = std::min(until, core.next_deadline());
  const Duration now = transport::read_clock().mono;
  if (!unsent.empty()) wake = std::min(wake, now + kUnsentRetry);
  transport::PollSet poll;
  poll.add(socket);
  poll.wait(wake == kNever ? kNever : std::max(Duration{0}, wake - now));
  while (auto received = socket.receive())
    if (received->well_formed) {
      heard = true;
      core.handle(received->frame, transport::read_clock());
    }
  carry_out();
}

/// Turns until done() is true (true) or `until` has passed (false).
template <class Done>
bool Client::Impl::run(Duration until, Done done) {
  while (!done()) {
    if (transport::read_clock().mono >= until) return false;
    turn(until);
  }
  return true;
}

void Client::Impl::time_out() const {
  // A server that does not take our key, or is not the one we expect, says nothing at all.
  const std::string_view hint = heard ? ""
                                : config.server_key.empty()
                                    ? ": does it run, and does it ask for a key?"
                                    : ": does it run, know our key, and own the server key?";
  throw ClientError("timeout",
                    fmt::format("no answer from {} within {} s{}", config.endpoint,
                                static_cast<double>(config.timeout.count()) / 1000, hint));
}

template <class M>
Message Client::Impl::ask(M message) {
  const Now now = transport::read_clock();
  const std::uint64_t number = core.request(std::move(message), now);
  if (!run(deadline_after(config.timeout, now.mono), [&] { return replies.contains(number); })) {
    core.forget(number);
    time_out();
  }
  Message reply = std::move(replies.at(number));
  replies.erase(number);
  if (const auto* error = std::get_if<msg::ErrorReply>(&reply))
    throw ClientError(std::string(genai::name(error->code)), error->detail);
  return reply;
}

template <class M>
M Client::Impl::expect(Message message) {
  if (auto* body = std::get_if<M>(&message)) return std::move(*body);
  throw ClientError("malformed", "the dispatcher gave another answer than was asked for");
}

template <class M>
std::vector<TaskInfo> Client::Impl::tasks_of(M message, bool* more) {
  const auto reply = expect<msg::Tasks>(ask(std::move(message)));
  std::vector<TaskInfo> tasks;
  for (const ValueMap& map : reply.tasks) tasks.push_back(task_from(map));
  if (more) *more = reply.more;
  return tasks;
}

/// Asks about all of them, page by page, and gathers the verdicts.
template <class Reply, class Entry, class Question>
std::vector<Verdict> Client::Impl::verdicts_on(const std::vector<Entry>& entries,
                                               Question question) {
  std::vector<Verdict> verdicts;
  each_page(entries, [&](const std::vector<Entry>& page) {
    const auto reply = expect<Reply>(ask(question(page)));
    for (const auto& verdict : reply.verdicts) verdicts.push_back(verdict_from(verdict));
  });
  return verdicts;
}

Client::Client(Config config) : impl_(std::make_unique<Impl>(std::move(config))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

void Client::on_notice(std::function<void(const std::string&)> callback) {
  impl_->notice = std::move(callback);
}

void Client::check(const TaskRequest& request) {
  checked_submission(request, parse_ids({request.id.empty() ? "unnamed" : request.id}).front());
}

std::string Client::submit(const TaskRequest& request, Watch watch) {
  const Verdict verdict = submit(std::vector{request}, watch).front();
  if (!verdict.ok()) throw ClientError(verdict.code, verdict.detail);
  return verdict.id;
}

std::vector<Verdict> Client::submit(const std::vector<TaskRequest>& requests, Watch watch) {
  std::vector<msg::Submission> submissions;
  std::unordered_set<TaskId> given;
  for (const TaskRequest& request : requests) {
    const TaskId id = id_or_new(request.id);
    if (!given.insert(id).second)
      throw ClientError("bad_field", "two requests have the id '" + id.str() + "'");
    submissions.push_back(checked_submission(request, id));
  }
  std::vector<std::string> ids;
  const Now now = transport::read_clock();
  for (auto& submission : submissions) {
    ids.push_back(submission.task_id.str());
    impl_->verdicts.erase(ids.back());
    impl_->core.submit(std::move(submission), static_cast<msg::WatchLevel>(watch), now);
  }
  impl_->carry_out();
  std::size_t answered = 0;  // the first so many have their verdicts
  const bool all = impl_->run(deadline_after(impl_->config.timeout, now.mono), [&] {
    while (answered < ids.size() && impl_->verdicts.contains(ids[answered])) ++answered;
    return answered == ids.size();
  });
  if (!all) impl_->time_out();
  std::vector<Verdict> verdicts;
  for (const std::string& id : ids) verdicts.push_back(impl_->verdicts.at(id));
  impl_->verdicts.clear();
  return verdicts;
}

std::vector<TaskInfo> Client::watch(const std::vector<std::string>& texts, Watch watch) {
  const std::vector<TaskId> ids = parse_ids(texts);
  const auto level = static_cast<msg::WatchLevel>(watch);
  std::vector<TaskInfo> known;
  each_page(ids, [&](const std::vector<TaskId>& page) {
    // Entered before it is asked for: a finished task's result may come with the answer.
    impl_->core.watch(page, level, transport::read_clock());
    if (watch == Watch::kNone) impl_->leave(page);
    std::vector<TaskInfo> tasks = impl_->tasks_of(msg::Watch{0, level, page});
    for (const TaskId& id : page)
      if (std::ranges::none_of(tasks, [&](const TaskInfo& t) { return t.id == id.str(); }))
        impl_->core.unwatch(id);
    std::ranges::move(tasks, std::back_inserter(known));
  });
  return known;
}

void Client::acknowledge() { impl_->come_back(false); }

void Client::leave(const std::string& id) { impl_->leave(parse_ids({id})); }

std::optional<Event> Client::next(Millis timeout) {
  impl_->come_back(!impl_->events.empty());
  const Duration until = deadline_after(timeout, transport::read_clock().mono);
  const auto done = [&] { return !impl_->events.empty() || impl_->core.open_tasks() == 0; };
  if (!impl_->run(until, done) || impl_->events.empty()) return std::nullopt;
  return impl_->give(impl_->events.begin());
}

std::optional<TaskResult> Client::wait(const std::string& id, Millis timeout) {
  const auto find = [&] {
    return std::ranges::find_if(impl_->events, [&](const Event& event) {
      const auto* result = std::get_if<TaskResult>(&event);
      return result && result->id == id;
    });
  };
  const Duration until = deadline_after(timeout, transport::read_clock().mono);
  const auto task_id = parse_ids({id}).front();
  impl_->come_back(find() != impl_->events.end());
  const auto done = [&] {
    if (find() != impl_->events.end() || !impl_->core.is_open(task_id)) return true;
    // The dispatcher sends only so much ahead: what is not waited for must not be in the way.
    impl_->core.set_aside();
    return false;
  };
  if (!impl_->run(until, done)) return std::nullopt;
  const auto it = find();
  if (it == impl_->events.end())
    throw ClientError("not_watched", "task '" + id + "' is not watched, or its result was taken");
  return std::get<TaskResult>(impl_->give(it));
}

std::size_t Client::open_tasks() const { return impl_->core.open_tasks(); }

std::vector<Verdict> Client::cancel(const std::vector<std::string>& ids) {
  return impl_->verdicts_on<msg::Cancelled>(parse_ids(ids), [](const auto& page) {
    return msg::Cancel{0, page};
  });
}

std::vector<Verdict> Client::replay(const std::vector<Replay>& entries) {
  std::vector<msg::Replay::Entry> checked;
  std::unordered_set<TaskId> given;
  for (const Replay& entry : entries) {
    const TaskId as = id_or_new(entry.as);
    if (!given.insert(as).second)
      throw ClientError("bad_field", "two replays have the id '" + as.str() + "'");
    checked.push_back({parse_ids({entry.of}).front(), as});
  }
  return impl_->verdicts_on<msg::Accepted>(checked, [](const auto& page) {
    return msg::Replay{0, page};
  });
}

std::vector<Verdict> Client::purge(const std::vector<std::string>& ids) {
  return impl_->verdicts_on<msg::Purged>(parse_ids(ids), [](const auto& page) {
    return msg::Purge{0, page};
  });
}

std::vector<Verdict> Client::reprioritise(const std::vector<std::string>& ids,
                                          std::uint8_t priority) {
  if (priority > limits::kMaxPriority)
    throw ClientError("bad_field",
                      fmt::format("priority {}: expected 0 to {}", priority, limits::kMaxPriority));
  return impl_->verdicts_on<msg::Reprioritised>(parse_ids(ids), [&](const auto& page) {
    return msg::Reprioritise{0, priority, page};
  });
}

std::vector<TaskInfo> Client::status(const std::vector<std::string>& ids) {
  std::vector<TaskInfo> tasks;
  each_page(parse_ids(ids), [&](const std::vector<TaskId>& page) {
    std::ranges::move(impl_->tasks_of(msg::StatusQuery{0, page}), std::back_inserter(tasks));
  });
  return tasks;
}

std::vector<TaskInfo> Client::list(std::optional<Status> status, std::size_t limit) {
  constexpr std::size_t kPage = 1000;
  std::vector<TaskInfo> all;
  for (bool more = true; more && all.size() < limit;) {
    const std::string after = all.empty() ? "" : all.back().id;
    TaskPage page = list_page(status, after, std::min(kPage, limit - all.size()));
    more = page.more && !page.tasks.empty();
    std::ranges::move(page.tasks, std::back_inserter(all));
  }
  return all;
}

TaskPage Client::list_page(std::optional<Status> status, const std::string& after,
                           std::size_t limit) {
  if (limit == 0 || limit > limits::kMaxBatchEntries)
    throw ClientError("bad_field",
                      fmt::format("limit {}: expected 1 to {}", limit, limits::kMaxBatchEntries));
  ValueMap filter{{"limit", std::uint64_t{limit}}};
  if (status) filter["status"] = name(*status);
  if (!after.empty()) filter["after"] = parse_ids({after}).front().str();
  TaskPage page;
  page.tasks = impl_->tasks_of(msg::List{0, std::move(filter)}, &page.more);
  return page;
}

std::vector<NodeInfo> Client::nodes(bool measured) {
  const auto reply = impl_->expect<msg::NodeList>(impl_->ask(msg::NodesQuery{0, measured}));
  std::vector<NodeInfo> nodes;
  for (const ValueMap& map : reply.nodes) nodes.push_back(node_from(map));
  return nodes;
}

Stats Client::stats() {
  return stats_from(impl_->expect<msg::Stats>(impl_->ask(msg::StatsQuery{})).stats);
}

std::uint64_t Client::ping() { return impl_->expect<msg::Pong>(impl_->ask(msg::Ping{})).epoch; }

void Client::drain(const std::string& node_id, bool on) {
  if (!node_id.empty() && !NodeId::parse(node_id))
    throw ClientError("bad_field", "'" + node_id + "': a node id is 1 to 64 of [A-Za-z0-9._:-]");
  impl_->expect<msg::Done>(impl_->ask(msg::Drain{0, node_id, on}));
}

}  // namespace genai::client
