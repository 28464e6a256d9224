#include "tools/client/calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "protocol/base/limits.h"
#include "tools/client/convert.h"

namespace genai::client {
namespace {

using Ids = std::vector<TaskId>;

Failure wrong(std::string detail) { return {Errc::kBadField, std::move(detail)}; }

Failure bad_answer() {
  return {Errc::kBadAnswer, "the dispatcher gave another answer than was asked for"};
}

Answer<TaskId> parse_id(const std::string& text) {
  if (auto id = TaskId::parse(text)) return std::move(*id);
  return bad_task_id(text);
}

Answer<Ids> parse_ids(const std::vector<std::string>& texts) {
  Ids ids;
  for (const std::string& text : texts) {
    auto id = parse_id(text);
    if (!id) return id.failure();
    ids.push_back(std::move(*id));
  }
  return ids;
}

/// Those that are ids.
Ids known_ids(const std::vector<std::string>& texts) {
  Ids ids;
  for (const std::string& text : texts)
    if (auto id = TaskId::parse(text)) ids.push_back(std::move(*id));
  return ids;
}

/// Nothing when all ids differ.
std::optional<Failure> twin_among(const Ids& ids, const char* what) {
  std::unordered_set<TaskId> seen;
  for (const TaskId& id : ids)
    if (!seen.insert(id).second)
      return wrong(fmt::format("two {} have the id '{}'", what, id.str()));
  return std::nullopt;
}

template <class M, class Entry>
void gather_verdicts(const M& reply, const std::vector<Entry>&, std::vector<Verdict>& out,
                     const Now&) {
  for (const auto& verdict : reply.verdicts) out.push_back(verdict_from(verdict));
}

std::vector<TaskInfo> tasks_from(const msg::Tasks& reply) {
  std::vector<TaskInfo> tasks;
  for (const ValueMap& map : reply.tasks) tasks.push_back(task_from(map));
  return tasks;
}

template <class T>
void append(std::vector<T>& to, std::vector<T> from) {
  std::ranges::move(from, std::back_inserter(to));
}

}  // namespace

/// A question about so many that it takes several messages, one after the other. They are small
/// ones, since an answer about a task may carry its whole log.
template <class Entry, class Query, class Gather, class Out>
struct Calls::Pages {
  std::vector<Entry> entries;
  Query query;    // (page, now) → the message
  Gather gather;  // (answer, page, out, now)
  Callback<Out> done;
  std::size_t at = 0;
  Out out = {};

  std::vector<Entry> page() const {
    const std::size_t end = std::min(entries.size(), at + limits::kMaxStatusIds);
    return {entries.begin() + static_cast<std::ptrdiff_t>(at),
            entries.begin() + static_cast<std::ptrdiff_t>(end)};
  }
};

Calls::Calls(const Config& config, NewId new_id, const Now& now)
    : config_(config), new_id_(std::move(new_id)), core_(now, config.acknowledge) {}

template <class Out>
void Calls::answer(const Callback<Out>& done, Answer<std::type_identity_t<Out>> answer) {
  if (done)
    due_.push_back([done, answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

// --- tasks

Answer<std::vector<std::string>> Calls::submit(std::vector<TaskRequest> requests,
                                               TaskCallbacks callbacks, Watch watch,
                                               const Now& now) {
  std::vector<msg::Submission> submissions;
  Ids ids;
  for (TaskRequest& request : requests) {
    auto id = request.id.empty() ? Answer<TaskId>(new_id_()) : parse_id(request.id);
    if (!id) return id.failure();
    auto submission = submission_from(std::move(request), *id);
    if (!submission) return failure_from(submission.error());
    submissions.push_back(std::move(*submission));
    ids.push_back(std::move(*id));
  }
  if (auto twin = twin_among(ids, "requests")) return *twin;
  const auto shared = std::make_shared<const TaskCallbacks>(std::move(callbacks));
  std::vector<std::string> texts;
  for (msg::Submission& submission : submissions) {
    const TaskId& id = submission.task_id;
    texts.push_back(id.str());
    if (core_.conflicts(submission)) {
      refuse({{shared}}, verdict_from(msg::Verdict{id, ErrorCode::kIdConflict,
                                                   "this id is open with another content"}));
      continue;
    }
    listen(id, shared, false, watch);
    core_.handle(SessionCore::Submit{std::move(submission), static_cast<msg::WatchLevel>(watch)},
                 now);
  }
  return texts;
}

void Calls::listen(const TaskId& id, std::shared_ptr<const TaskCallbacks> callbacks,
                   bool has_verdict, Watch watch) {
  Task& task = tasks_[id];
  task.listeners.push_back({std::move(callbacks), has_verdict});
  task.watch = watch;
}

void Calls::watch(const std::vector<std::string>& texts, TaskCallbacks callbacks, Watch watch,
                  Callback<std::vector<TaskInfo>> known, const Now& now) {
  const auto shared = std::make_shared<const TaskCallbacks>(std::move(callbacks));
  const auto level = static_cast<msg::WatchLevel>(watch);
  auto ids = parse_ids(texts);
  if (!ids) return answer(known, ids.failure());
  // Each page is entered before it is asked for: a finished task's result may come with the answer.
  const auto query = [this, shared, watch, level](Ids page, const Now& at) {
    core_.handle(SessionCore::Watch{page, level}, at);
    if (watch == Watch::kNone) core_.handle(SessionCore::Leave{page}, at);
    for (const TaskId& id : page) {
      if (watch == Watch::kNone)
        tasks_.erase(id);
      else
        listen(id, shared, true, watch);
    }
    return msg::Watch{0, level, std::move(page)};
  };
  const auto gather = [this, shared](const msg::Tasks& reply, const Ids& page,
                                     std::vector<TaskInfo>& out, const Now& at) {
    std::vector<TaskInfo> tasks = tasks_from(reply);
    std::unordered_set<std::string_view> found;
    for (const TaskInfo& task : tasks) found.insert(task.id);
    for (const TaskId& id : page)
      if (!found.contains(id.view())) forget_watch(id, shared, at);
    append(out, std::move(tasks));
  };
  ask_pages<msg::Tasks>(std::move(*ids), query, gather, std::move(known), now);
}

/// The dispatcher does not know the task. A submit of our own may be on its way: then it goes on.
void Calls::forget_watch(const TaskId& id, const std::shared_ptr<const TaskCallbacks>& callbacks,
                         const Now& now) {
  core_.handle(SessionCore::Unknown{id}, now);
  auto it = tasks_.find(id);
  if (it == tasks_.end()) return;
  std::erase_if(it->second.listeners,
                [&](const Listener& listener) { return listener.callbacks == callbacks; });
  if (it->second.listeners.empty()) tasks_.erase(it);
}

void Calls::acknowledge(const std::vector<std::string>& ids, const Now& now) {
  core_.handle(SessionCore::Acknowledge{known_ids(ids)}, now);
}

void Calls::leave(const std::vector<std::string>& ids, const Now& now) {
  core_.handle(SessionCore::Leave{known_ids(ids)}, now);
}

bool Calls::is_open(const std::string& text) const {
  const auto id = TaskId::parse(text);
  return id && core_.is_open(*id);
}

// --- questions

template <class Query>
void Calls::ask(Query query, Replied replied, const Now& now) {
  const Duration until =
      config_.timeout == kForever ? kNever : now.mono + Duration(config_.timeout);
  const std::uint64_t number = core_.handle(SessionCore::Ask{std::move(query)}, now);
  questions_.emplace(number, Question{until, std::move(replied)});
}

/// A question with one answer, an M, of which `convert` makes what `done` gets.
template <class M, class Query, class Convert, class Out>
void Calls::ask_once(Query query, Convert convert, Callback<Out> done, const Now& now) {
  const auto replied = [this, convert, done = std::move(done)](const Answer<ClientReply>& reply,
                                                               const Now&) {
    if (!reply) return answer(done, reply.failure());
    const auto* body = std::get_if<M>(&*reply);
    body ? answer(done, convert(*body)) : answer(done, bad_answer());
  };
  ask(std::move(query), replied, now);
}

template <class M, class Entry, class Query, class Gather, class Out>
void Calls::ask_pages(std::vector<Entry> entries, Query query, Gather gather, Callback<Out> done,
                      const Now& now) {
  using State = Pages<Entry, Query, Gather, Out>;
  next_page<M>(std::make_shared<State>(State{std::move(entries), query, gather, std::move(done)}),
               now);
}

template <class M, class State>
void Calls::next_page(std::shared_ptr<State> pages, const Now& now) {
  if (pages->at == pages->entries.size()) return answer(pages->done, std::move(pages->out));
  auto page = pages->page();
  const auto replied = [this, pages, page](const Answer<ClientReply>& reply, const Now& at) {
    if (!reply) return answer(pages->done, reply.failure());
    const auto* body = std::get_if<M>(&*reply);
    if (!body) return answer(pages->done, bad_answer());
    pages->gather(*body, page, pages->out, at);
    pages->at += page.size();
    next_page<M>(pages, at);
  };
  ask(pages->query(std::move(page), now), replied, now);
}

template <class M, class Query>
void Calls::ask_verdicts(const std::vector<std::string>& texts, Query query, Verdicts done,
                         const Now& now) {
  auto ids = parse_ids(texts);
  if (!ids) return answer(done, ids.failure());
  ask_pages<M>(std::move(*ids), query, gather_verdicts<M, TaskId>, std::move(done), now);
}

void Calls::cancel(const std::vector<std::string>& ids, Verdicts done, const Now& now) {
  const auto query = [](Ids page, const Now&) { return msg::Cancel{0, std::move(page)}; };
  ask_verdicts<msg::Cancelled>(ids, query, std::move(done), now);
}

void Calls::purge(const std::vector<std::string>& ids, Verdicts done, const Now& now) {
  const auto query = [](Ids page, const Now&) { return msg::Purge{0, std::move(page)}; };
  ask_verdicts<msg::Purged>(ids, query, std::move(done), now);
}

void Calls::forget(const std::vector<std::string>& ids, Verdicts done, const Now& now) {
  const auto query = [](Ids page, const Now&) { return msg::Delete{0, std::move(page)}; };
  ask_verdicts<msg::Deleted>(ids, query, std::move(done), now);
}

void Calls::fetch(const std::string& text, std::uint64_t offset, std::uint64_t bytes,
                  Callback<ResultPart> done, const Now& now) {
  auto id = parse_id(text);
  if (!id) return answer(done, id.failure());
  const std::uint64_t most = std::min<std::uint64_t>(bytes, limits::kMaxFetchBytes);
  ask_once<msg::Fetched>(msg::Fetch{0, std::move(*id), offset, most}, part_from, std::move(done),
                         now);
}

void Calls::reprioritise(const std::vector<std::string>& ids, std::uint8_t priority, Verdicts done,
                         const Now& now) {
  if (priority > limits::kMaxPriority)
    return answer(
        done, wrong(fmt::format("priority {}: expected 0 to {}", priority, limits::kMaxPriority)));
  const auto query = [priority](Ids page, const Now&) {
    return msg::Reprioritise{0, priority, std::move(page)};
  };
  ask_verdicts<msg::Reprioritised>(ids, query, std::move(done), now);
}

void Calls::replay(const std::vector<Replay>& entries, Verdicts done, const Now& now) {
  using Entry = msg::Replay::Entry;
  std::vector<Entry> checked;
  Ids news;
  for (const Replay& entry : entries) {
    auto of = parse_id(entry.of);
    auto as = entry.as.empty() ? Answer<TaskId>(new_id_()) : parse_id(entry.as);
    if (!of || !as) return answer(done, (of ? as : of).failure());
    news.push_back(*as);
    checked.push_back({std::move(*of), std::move(*as)});
  }
  if (auto twin = twin_among(news, "replays")) return answer(done, *twin);
  const auto query = [](std::vector<Entry> page, const Now&) {
    return msg::Replay{0, std::move(page)};
  };
  ask_pages<msg::Accepted>(std::move(checked), query, gather_verdicts<msg::Accepted, Entry>,
                           std::move(done), now);
}

void Calls::status(const std::vector<std::string>& texts, Callback<std::vector<TaskInfo>> done,
                   const Now& now) {
  auto ids = parse_ids(texts);
  if (!ids) return answer(done, ids.failure());
  const auto query = [](Ids page, const Now&) { return msg::StatusQuery{0, std::move(page)}; };
  const auto gather = [](const msg::Tasks& reply, const Ids&, std::vector<TaskInfo>& out,
                         const Now&) { append(out, tasks_from(reply)); };
  ask_pages<msg::Tasks>(std::move(*ids), query, gather, std::move(done), now);
}

void Calls::list(std::optional<Status> status, const std::string& after, std::size_t limit,
                 Callback<TaskPage> done, const Now& now) {
  if (limit == 0 || limit > limits::kMaxBatchEntries)
    return answer(
        done, wrong(fmt::format("limit {}: expected 1 to {}", limit, limits::kMaxBatchEntries)));
  ValueMap filter{{"limit", std::uint64_t{limit}}};
  if (status) filter["status"] = name(*status);
  if (!after.empty()) {
    const auto id = parse_id(after);
    if (!id) return answer(done, id.failure());
    filter["after"] = id->str();
  }
  const auto convert = [](const msg::Tasks& reply) {
    return TaskPage{tasks_from(reply), reply.more};
  };
  ask_once<msg::Tasks>(msg::List{0, std::move(filter)}, convert, std::move(done), now);
}

void Calls::nodes(bool measured, Callback<std::vector<NodeInfo>> done, const Now& now) {
  const auto convert = [](const msg::NodeList& reply) {
    std::vector<NodeInfo> nodes;
    for (const ValueMap& map : reply.nodes) nodes.push_back(node_from(map));
    return nodes;
  };
  ask_once<msg::NodeList>(msg::NodesQuery{0, measured}, convert, std::move(done), now);
}

void Calls::stats(Callback<Stats> done, const Now& now) {
  const auto convert = [](const msg::Stats& reply) { return stats_from(reply.stats); };
  ask_once<msg::Stats>(msg::StatsQuery{}, convert, std::move(done), now);
}

void Calls::ping(Callback<std::uint64_t> done, const Now& now) {
  const auto convert = [](const msg::Pong& reply) { return reply.epoch; };
  ask_once<msg::Pong>(msg::Ping{}, convert, std::move(done), now);
}

void Calls::drain(const std::string& node_id, bool on, Callback<Done> done, const Now& now) {
  if (!node_id.empty() && !NodeId::parse(node_id))
    return answer(done, wrong("'" + node_id + "': a node id is 1 to 64 of [A-Za-z0-9._:-]"));
  const auto convert = [](const msg::Done&) { return Done{}; };
  ask_once<msg::Done>(msg::Drain{0, node_id, on}, convert, std::move(done), now);
}

// --- what comes

void Calls::handle(const Blob& frame, const Now& now) {
  heard_ = true;
  core_.handle(SessionCore::Frame{frame}, now);
  take_events(now);
}

void Calls::expire(const Now& now) {
  std::vector<std::uint64_t> late;
  for (const auto& [number, question] : questions_)
    if (question.until <= now.mono) late.push_back(number);
  for (const std::uint64_t number : late) {
    core_.handle(SessionCore::GiveUp{number}, now);
    questions_.extract(number).mapped().replied(no_answer(config_, heard_), now);
  }
  core_.expire(now);
  take_events(now);
}

Duration Calls::next_deadline() const {
  if (!due_.empty()) return Duration{0};
  Duration at = core_.next_deadline();
  for (const auto& [number, question] : questions_) at = std::min(at, question.until);
  return at;
}

void Calls::call() {
  for (std::size_t left = due_.size(); left > 0; --left) {
    const auto next = std::move(due_.front());
    due_.pop_front();
    next();
  }
}

void Calls::take_events(const Now& now) {
  for (SessionCore::Event& event : core_.take_events())
    std::visit([&](auto& body) { on(body, now); }, event);
}

void Calls::on(SessionCore::Reconnect, const Now&) { outgoing_ = {true, {}}; }

void Calls::on(SessionCore::Send& send, const Now&) {
  outgoing_.frames.push_back(std::move(send.frame));
}

void Calls::on(const LogEvent& event, const Now&) {
  if (notice_) due_.push_back([notice = notice_, text = notice_from(event)] { notice(text); });
}

void Calls::on(const msg::Acceptance& acceptance, const Now&) {
  auto it = tasks_.find(acceptance.task_id);
  if (it == tasks_.end()) return;
  const Verdict verdict = verdict_from(acceptance);
  if (!verdict.ok()) return refuse(tasks_.extract(it).mapped().listeners, verdict);
  for (Listener& listener : it->second.listeners)
    if (!std::exchange(listener.has_verdict, true)) tell(listener, verdict);
  if (it->second.watch == Watch::kNone) tasks_.erase(it);
}

void Calls::tell(const Listener& listener, const Verdict& verdict) {
  if (listener.callbacks->verdict)
    due_.push_back([to = listener.callbacks, verdict] { to->verdict(verdict); });
}

void Calls::refuse(const std::vector<Listener>& listeners, const Verdict& verdict) {
  TaskResult result;
  result.id = verdict.id;
  result.code = verdict.code;
  result.error = verdict.detail;
  result.retry_after_ms = verdict.retry_after_ms;
  for (const Listener& listener : listeners) {
    // One that was accepted before hears of a task that was forgotten and refused then.
    result.refused = !listener.has_verdict;
    if (result.refused) tell(listener, verdict);
    if (listener.callbacks->result)
      due_.push_back([to = listener.callbacks, result] { to->result(result); });
  }
}

void Calls::on(const msg::Deliver::Entry& entry, const Now&) {
  auto it = tasks_.find(entry.task_id);
  if (it == tasks_.end()) return;
  const auto listeners = std::move(it->second.listeners);
  tasks_.erase(it);
  const TaskResult result = result_from(entry);
  for (const Listener& listener : listeners)
    if (listener.callbacks->result)
      due_.push_back([to = listener.callbacks, result] { to->result(result); });
}

void Calls::on(const msg::Update::Entry& entry, const Now&) {
  auto it = tasks_.find(entry.task_id);
  if (it == tasks_.end()) return;
  const TaskUpdate update = update_from(entry);
  for (const Listener& listener : it->second.listeners)
    if (listener.callbacks->update)
      due_.push_back([to = listener.callbacks, update] { to->update(update); });
}

void Calls::on(SessionCore::Reply& reply, const Now& now) {
  auto question = questions_.extract(reply.request);
  if (!question) return;
  const auto* error = std::get_if<msg::ErrorReply>(&reply.message);
  question.mapped().replied(error ? Answer<ClientReply>(failure_from({error->code, error->detail}))
                                  : std::move(reply.message),
                            now);
}

}  // namespace genai::client
