// The blocking client: a session, and waiting.
#include "genai/client.h"

#include <poll.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <unordered_map>

#include "protocol/transport/system.h"
#include "tools/client/convert.h"

namespace genai::client {
namespace {

using Clock = std::chrono::steady_clock;

// While more results are at hand, acknowledgements wait for others to go with: so many, so long.
constexpr std::size_t kAckGroup = 256;
constexpr std::chrono::milliseconds kAckDelay{200};
// One poll() waits at most so long: its argument is an int.
constexpr std::chrono::milliseconds kLongestPoll{3'600'000};

Clock::time_point deadline_after(Millis timeout) {
  const auto now = Clock::now();
  const bool is_far = timeout >= std::chrono::duration_cast<Millis>(Clock::time_point::max() - now);
  return is_far ? Clock::time_point::max() : now + timeout;
}

}  // namespace

struct GENAI_LOCAL Client::Impl {
  explicit Impl(const Config& c) : config(c), session(c) {}
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void wait_for_work(Clock::time_point until);
  template <class IsDone>
  bool run(Clock::time_point until, IsDone is_done);
  template <class T, class Ask>
  T ask(Ask ask);
  /// What comes of a task is an event for next() and wait().
  TaskCallbacks listening();

  void come_back(bool more_at_hand);
  void acknowledge();
  void leave(const std::vector<std::string>& ids);
  Event give(std::deque<Event>::iterator event);

  const Config config;
  Session session;
  std::deque<Event> events;
  std::optional<std::string> given;  // the result that the caller has now
  std::vector<std::string> safe;     // to be acknowledged
  Clock::time_point safe_since;      // the first of them
};

/// Nobody knows what became of the caller's last result, so that it is not acknowledged.
Client::Impl::~Impl() {
  session.on_notice({});
  try {
    acknowledge();
  } catch (const std::exception&) {
    // Then the results stay with the dispatcher.
  }
}

/// The caller has come back: what it was given is safe. Acknowledges now or, while there is more
/// for it at hand, soon.
void Client::Impl::come_back(bool more_at_hand) {
  if (given) {
    if (safe.empty()) safe_since = Clock::now();
    safe.push_back(std::move(*given));
    given.reset();
  }
  if (safe.empty()) return;
  if (more_at_hand && safe.size() < kAckGroup && Clock::now() < safe_since + kAckDelay) return;
  acknowledge();
  // The socket of a caller that is slow is read although results are at hand.
  session.process();
}

void Client::Impl::acknowledge() {
  if (!safe.empty()) session.acknowledge(std::exchange(safe, {}));
}

/// Of these, the result that the caller has now stays with the dispatcher.
void Client::Impl::leave(const std::vector<std::string>& ids) {
  if (!given || std::ranges::find(ids, *given) == ids.end()) return;
  session.leave({*given});
  given.reset();
}

Event Client::Impl::give(std::deque<Event>::iterator event) {
  Event taken = std::move(*event);
  events.erase(event);
  if (const auto* result = std::get_if<TaskResult>(&taken)) given = result->id;
  return taken;
}

TaskCallbacks Client::Impl::listening() {
  TaskCallbacks callbacks;
  callbacks.result = [this](TaskResult result) {
    if (!result.refused) events.emplace_back(std::move(result));
  };
  callbacks.update = [this](const TaskUpdate& update) { events.emplace_back(update); };
  return callbacks;
}

void Client::Impl::wait_for_work(Clock::time_point until) {
  int timeout_ms = static_cast<int>(kLongestPoll.count());
  if (const auto left = until - Clock::now(); left < kLongestPoll)
    timeout_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
  pollfd work{session.fd(), POLLIN, 0};
  poll(&work, 1, std::max(0, timeout_ms));
}

/// Processes until is_done() (true) or `until` has passed (false).
template <class IsDone>
bool Client::Impl::run(Clock::time_point until, IsDone is_done) {
  for (;;) {
    session.process();
    if (is_done()) return true;
    if (Clock::now() >= until) return false;
    wait_for_work(until);
  }
}

/// The session keeps the time limit of a question.
template <class T, class Ask>
T Client::Impl::ask(Ask ask) {
  const auto answer = std::make_shared<std::optional<Answer<T>>>();
  ask([answer](Answer<T> came) { *answer = std::move(came); });
  run(Clock::time_point::max(), [&] { return answer->has_value(); });
  return std::move(**answer).value();
}

Client::Client(Config config) : impl_(std::make_unique<Impl>(config)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

void Client::on_notice(std::function<void(const std::string&)> callback) {
  impl_->session.on_notice(std::move(callback));
}

void Client::check(const TaskRequest& request) {
  if (const auto problem = request_problem(request)) throw ClientError(*problem);
}

std::string Client::submit(TaskRequest request, Watch watch) {
  std::vector<TaskRequest> one;
  one.push_back(std::move(request));
  Verdict verdict = std::move(submit(std::move(one), watch).front());
  if (!verdict.ok()) throw ClientError(verdict.code, verdict.detail);
  return std::move(verdict.id);
}

std::vector<Verdict> Client::submit(std::vector<TaskRequest> requests, Watch watch) {
  // A verdict may come after the time is over.
  const auto verdicts = std::make_shared<std::unordered_map<std::string, Verdict>>();
  TaskCallbacks callbacks = impl_->listening();
  callbacks.verdict = [verdicts](const Verdict& verdict) { (*verdicts)[verdict.id] = verdict; };
  const auto ids = impl_->session.submit(std::move(requests), std::move(callbacks), watch).value();
  const auto is_done = [&] { return verdicts->size() == ids.size(); };
  if (!impl_->run(deadline_after(impl_->config.timeout), is_done))
    throw ClientError(no_answer(impl_->config, impl_->session.has_heard()));
  std::vector<Verdict> in_order;
  for (const std::string& id : ids) in_order.push_back(std::move(verdicts->at(id)));
  return in_order;
}

std::vector<TaskInfo> Client::watch(const std::vector<std::string>& ids, Watch watch) {
  if (watch == Watch::kNone) {
    impl_->leave(ids);
    impl_->acknowledge();  // the others of them that the caller has
  }
  return impl_->ask<std::vector<TaskInfo>>(
      [&](auto done) { impl_->session.watch(ids, impl_->listening(), watch, std::move(done)); });
}

void Client::acknowledge() { impl_->come_back(false); }

void Client::leave(const std::string& id) {
  impl_->leave({id});
  impl_->session.process();
}

std::optional<Event> Client::next(Millis timeout) {
  auto& events = impl_->events;
  const Session& session = impl_->session;
  impl_->come_back(!events.empty());
  const auto is_done = [&] { return !events.empty() || session.open_tasks() == 0; };
  if (!impl_->run(deadline_after(timeout), is_done) || events.empty()) return std::nullopt;
  return impl_->give(events.begin());
}

std::optional<TaskResult> Client::wait(const std::string& id, Millis timeout) {
  const auto find = [&] {
    return std::ranges::find_if(impl_->events, [&](const Event& event) {
      const auto* result = std::get_if<TaskResult>(&event);
      return result && result->id == id;
    });
  };
  impl_->come_back(find() != impl_->events.end());
  const auto is_done = [&] {
    if (find() != impl_->events.end() || !impl_->session.is_open(id)) return true;
    // The dispatcher sends only so much ahead: what is not waited for must not be in the way.
    impl_->session.set_aside();
    return false;
  };
  if (!impl_->run(deadline_after(timeout), is_done)) return std::nullopt;
  const auto it = find();
  if (it == impl_->events.end())
    throw ClientError(Errc::kNotOpen,
                      "task '" + id + "' is not watched, or its result was taken before");
  return std::get<TaskResult>(impl_->give(it));
}

std::size_t Client::open_tasks() const { return impl_->session.open_tasks(); }

std::vector<Verdict> Client::cancel(const std::vector<std::string>& ids) {
  return impl_->ask<std::vector<Verdict>>(
      [&](auto done) { impl_->session.cancel(ids, std::move(done)); });
}

std::vector<Verdict> Client::replay(const std::vector<Replay>& entries) {
  return impl_->ask<std::vector<Verdict>>(
      [&](auto done) { impl_->session.replay(entries, std::move(done)); });
}

std::vector<Verdict> Client::purge(const std::vector<std::string>& ids) {
  return impl_->ask<std::vector<Verdict>>(
      [&](auto done) { impl_->session.purge(ids, std::move(done)); });
}

std::vector<Verdict> Client::forget(const std::vector<std::string>& ids) {
  return impl_->ask<std::vector<Verdict>>(
      [&](auto done) { impl_->session.forget(ids, std::move(done)); });
}

ResultPart Client::fetch(const std::string& id, std::uint64_t offset, std::uint64_t bytes) {
  return impl_->ask<ResultPart>(
      [&](auto done) { impl_->session.fetch(id, offset, bytes, std::move(done)); });
}

std::vector<Verdict> Client::reprioritise(const std::vector<std::string>& ids,
                                          std::uint8_t priority) {
  return impl_->ask<std::vector<Verdict>>(
      [&](auto done) { impl_->session.reprioritise(ids, priority, std::move(done)); });
}

std::vector<TaskInfo> Client::status(const std::vector<std::string>& ids) {
  return impl_->ask<std::vector<TaskInfo>>(
      [&](auto done) { impl_->session.status(ids, std::move(done)); });
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
  return impl_->ask<TaskPage>(
      [&](auto done) { impl_->session.list(status, after, limit, std::move(done)); });
}

std::vector<NodeInfo> Client::nodes(bool measured) {
  return impl_->ask<std::vector<NodeInfo>>(
      [&](auto done) { impl_->session.nodes(measured, std::move(done)); });
}

Stats Client::stats() {
  return impl_->ask<Stats>([&](auto done) { impl_->session.stats(std::move(done)); });
}

std::uint64_t Client::ping() {
  return impl_->ask<std::uint64_t>([&](auto done) { impl_->session.ping(std::move(done)); });
}

void Client::drain(const std::string& node_id, bool on) {
  impl_->ask<Done>([&](auto done) { impl_->session.drain(node_id, on, std::move(done)); });
}

}  // namespace genai::client
