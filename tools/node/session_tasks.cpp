// What is held: taking assignments, stopping, the spool of results.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/limits.h"
#include "protocol/base/planted.h"
#include "protocol/base/text.h"
#include "protocol/wire/encoded_size.h"
#include "tools/node/faults.h"
#include "tools/node/result_files.h"
#include "tools/node/session_core.h"

namespace genai::node {
namespace {

using Kind = node::Event::Kind;

constexpr std::size_t kMib = std::size_t{1} << 20;
constexpr std::size_t kResultOverheadBytes = 512;

node::Event task_event(Kind kind, const AssignmentRef& ref, Duration run, std::string text = {}) {
  return {kind, ref.task_id.str(), ref.attempt, to_ms(run), std::move(text)};
}

bool is_older(const AssignmentRef& a, const AssignmentRef& b) {
  return std::pair(a.epoch, a.attempt) < std::pair(b.epoch, b.attempt);
}

/// What is reported of an execution that was stopped at its limit. It ended with anything.
TaskResult over_time(TaskResult result, Duration limit) {
  const bool says_so = result.code == static_cast<std::uint16_t>(ErrorCode::kTimeLimit);
  if (says_so) return result;
  return TaskResult::time_limit(
      fmt::format("time limit of {:g} s exceeded", static_cast<double>(to_ms(limit)) / 1000));
}

Duration resend_interval(std::size_t bytes) {
  return kResendResult + from_ms(1000 * static_cast<std::uint64_t>(bytes / kMib));
}

}  // namespace

SessionCore::Held* SessionCore::find(const AssignmentRef& ref) {
  auto it = held_.find(ref.task_id);
  return it != held_.end() && it->second.ref == ref ? &it->second : nullptr;
}

std::vector<AssignmentRef> SessionCore::held() const {
  std::vector<AssignmentRef> refs;
  for (const auto& [id, held] : held_) refs.push_back(held.ref);
  return refs;
}

std::size_t SessionCore::unfinished() const {
  return static_cast<std::size_t>(std::count_if(held_.begin(), held_.end(), [](const auto& entry) {
    return entry.second.state != Held::State::kFinished;
  }));
}

void SessionCore::on(const msg::Assign& assign, const Now&) {
  if (!joined()) return;  // a leftover of the session's last connection
  for (const msg::Assignment& assignment : assign.entries) take(assignment);
}

std::optional<Error> SessionCore::refusal(const msg::Assignment& assignment) const {
  const std::string& model = assignment.spec.needs.model;
  const auto& models = config_.meta.models;
  if (leaving_) return Error{ErrorCode::kNodeLeaving, "the node is leaving"};
  if (!model.empty() && !models.empty() &&
      std::find(models.begin(), models.end(), model) == models.end())
    return Error{ErrorCode::kModelMissing, "no model of that name here"};
  const std::size_t capacity = config_.meta.slots + kMaxQueuedTasks;
  if (unfinished() >= capacity || held_.size() >= limits::kMaxHeld)
    return Error{ErrorCode::kNodeFull, fmt::format("holds {} tasks, {} of them not finished",
                                                   held_.size(), unfinished())};
  return std::nullopt;
}

void SessionCore::take(const msg::Assignment& assignment) {
  const AssignmentRef& ref = assignment.ref;
  if (const Held* same = find(ref)) {
    if (GENAI_PLANTED(kRunTwice)) queue_.push_back(ref);
    // A repeated ASSIGN: the acknowledgement was lost. What is being stopped is answered as such.
    if (same->state != Held::State::kStopping) outbox_.put_entry<msg::AssignAck>({ref, {}, {}});
    return;
  }
  if (auto old = held_.find(ref.task_id); old != held_.end()) {
    if (is_older(ref, old->second.ref))
      return outbox_.put_entry<msg::AssignAck>(
          {ref, ErrorCode::kSuperseded, "a newer attempt of the task is here"});
    // Also when the new one is refused: nobody waits for the old one any more.
    events_.push_back(
        task_event(Kind::kTaskAborted, old->second.ref, {}, "a newer attempt was assigned"));
    forget(old->second);
  }
  if (const auto problem = refusal(assignment))
    return outbox_.put_entry<msg::AssignAck>({ref, problem->code, problem->detail});
  Held held;
  held.ref = ref;
  held.spec = assignment.spec;
  held.payload = assignment.payload;
  held_.emplace(ref.task_id, std::move(held));
  queue_.push_back(ref);
  outbox_.put_entry<msg::AssignAck>({ref, ErrorCode::kOk, {}});
}

/// Ends what `held` is, without a word to the dispatcher; `held` is gone afterwards.
void SessionCore::forget(Held& held) {
  const AssignmentRef ref = held.ref;
  if (held.state == Held::State::kRunning) events_.push_back(Stop{ref});
  std::erase(queue_, ref);
  held_.erase(ref.task_id);
}

void SessionCore::handle(const Drop& drop, const Now&) {
  Held* held = find(drop.ref);
  if (!held) return;
  events_.push_back(task_event(Kind::kTaskAborted, drop.ref, {}, "dropped on purpose"));
  forget(*held);
}

void SessionCore::on(const msg::Abort& abort_message, const Now&) {
  if (!joined()) return;
  for (const auto& entry : abort_message.entries) abort(entry);
}

void SessionCore::abort(const msg::Abort::Entry& entry) {
  using msg::AbortOutcome;
  Held* held = find(entry.ref);
  if (!held) return outbox_.put_entry<msg::AbortAck>({entry.ref, AbortOutcome::kNotHeld});
  switch (held->state) {
    case Held::State::kQueued:
      outbox_.put_entry<msg::AbortAck>({entry.ref, AbortOutcome::kStopped});
      events_.push_back(
          task_event(Kind::kTaskAborted, entry.ref, {}, std::string(name(entry.code))));
      return forget(*held);
    case Held::State::kRunning:
      // Taken back is only what nobody has begun: the work done here is worth more than the wait.
      if (entry.code == ErrorCode::kTakenBack)
        return outbox_.put_entry<msg::AbortAck>({entry.ref, AbortOutcome::kStarted});
      // "Stopped" is said when it is true: until then the slot is busy.
      held->state = Held::State::kStopping;
      held->abort_code = entry.code;
      held->progress.reset();
      events_.push_back(Stop{entry.ref});
      return;
    case Held::State::kStopping:
      return;
    case Held::State::kFinished:
      return outbox_.put_entry<msg::AbortAck>({entry.ref, AbortOutcome::kFinished});
  }
}

/// Who says so was restarted, or had given the task up: a result sent meanwhile went nowhere.
void SessionCore::on(const msg::Keep& keep, const Now& now) {
  if (!joined()) return;
  for (const AssignmentRef& ref : keep.refs)
    if (Held* held = find(ref); held && held->state == Held::State::kFinished)
      send_result(*held, now);
}

void SessionCore::on(const msg::ResultAck& ack, const Now& now) {
  for (const auto& entry : ack.entries) {
    const Held* held = find(entry.ref);
    if (!held || held->state != Held::State::kFinished) continue;
    held_.erase(entry.ref.task_id);
    waits_since_ = now.mono;
  }
}

void SessionCore::handle(const Report::Progress& progress, const Now&) {
  Held* held = find(progress.ref);
  if (!held || held->state != Held::State::kRunning || held->is_over_time) return;
  const double fraction = progress.fraction >= 0 ? std::min(progress.fraction, 1.0) : 0;  // of NaN
  held->progress = msg::Progress::Entry{progress.ref, fraction, clip_text(progress.text)};
}

void SessionCore::send_progress(const Now& now) {
  if (!joined()) return;
  for (auto& [id, held] : held_) {
    if (!held.progress || now.mono < held.progress_from) continue;
    const std::size_t bytes = held.progress->text.size() + 128;
    outbox_.put_entry<msg::Progress>(*std::exchange(held.progress, std::nullopt), bytes);
    held.progress_from = now.mono + kProgressInterval;
  }
}

void SessionCore::handle(Report::Finished finished, const Now& now) {
  auto& [ref, result] = finished;
  running_.erase(ref);
  waits_since_ = now.mono;
  Held* held = find(ref);
  if (phase_ == Phase::kEnded) {  // nobody is told any more
    if (held) held_.erase(ref.task_id);
    return;
  }
  if (!held) return;  // dropped, or a newer attempt took its place
  if (held->state == Held::State::kStopping) {
    if (joined()) outbox_.put_entry<msg::AbortAck>({ref, msg::AbortOutcome::kStopped});
    events_.push_back(task_event(Kind::kTaskAborted, ref, now.mono - held->started,
                                 std::string(name(held->abort_code))));
    held_.erase(ref.task_id);
  } else if (held->state == Held::State::kRunning) {
    if (held->is_over_time) result = over_time(std::move(result), held->limit);
    if (!is_dropped(result)) return finish(*held, std::move(result), now);
    held->state = Held::State::kFinished;  // nothing to stop any more
    handle(Drop{ref}, now);
  }
}

bool SessionCore::are_names(const std::vector<std::string>& models) {
  NodeConfig config;
  config.node_id = "any";
  config.loaded_models = models;
  return !config_problem(config);
}

void SessionCore::finish(Held& held, TaskResult result, const Now& now) {
  if (result.kind == TaskResult::Kind::kOk)
    if (auto instead = replacement(result)) result = std::move(*instead);
  if (result.kind == TaskResult::Kind::kReturned)
    return give_back(held, now, result.error_text.empty() ? "no reason given" : result.error_text);
  const Duration run = now.mono - held.started;
  const bool ok = result.kind == TaskResult::Kind::kOk;
  msg::Result::Entry& entry = held.result;
  entry.ref = held.ref;
  entry.outcome = ok ? msg::Outcome::kOk : msg::Outcome::kError;
  const std::uint64_t load_ms = std::min(result.load_ms, to_ms(run));
  entry.info = {{"run_ms", Value(to_ms(run) - load_ms)}, {"started", Value(true)}};
  if (load_ms != 0) entry.info["load_ms"] = Value(load_ms);
  if (result.loaded_models && are_names(*result.loaded_models))
    loaded_models_ = std::move(*result.loaded_models);
  if (result.exit_code) entry.info["exit_code"] = Value(*result.exit_code);
  if (ok) {
    fill(std::move(result), entry);
    events_.push_back(task_event(Kind::kTaskDone, held.ref, run));
  } else {
    entry.info["error"] = clip_text(result.error_text);
    if (result.code != 0) entry.info["code"] = Value(std::uint64_t{result.code});
    node::Event failed = task_event(Kind::kTaskFailed, held.ref, run, result.error_text);
    failed.exit_code = result.exit_code;
    events_.push_back(std::move(failed));
  }
  held.state = Held::State::kFinished;
  held.progress.reset();
  if (joined()) send_result(held, now);
}

/// What has not begun when another process has taken the node id over: the dispatcher gives it to
/// others.
void SessionCore::drop_queued() {
  for (const AssignmentRef& ref : std::exchange(queue_, {})) {
    events_.push_back(task_event(Kind::kTaskAborted, ref, {}, "another process has the node id"));
    held_.erase(ref.task_id);
  }
}

std::size_t SessionCore::results_in_hand() const {
  return static_cast<std::size_t>(std::count_if(held_.begin(), held_.end(), [](const auto& entry) {
    return entry.second.state == Held::State::kFinished &&
           entry.second.result.outcome != msg::Outcome::kReturned;
  }));
}

/// `unfit`: why this node can run nothing, or empty.
void SessionCore::give_back(Held& held, const Now& now, const std::string& unfit) {
  const bool started = held.state == Held::State::kRunning;
  const Duration run = started ? now.mono - held.started : Duration(0);
  held.result = {held.ref, msg::Outcome::kReturned, {{"started", Value(started)}}, {}};
  if (started) held.result.info["run_ms"] = Value(to_ms(run));
  if (!unfit.empty()) {
    held.result.info["error"] = clip_text(unfit);
    held.result.info["code"] =
        Value(std::uint64_t{static_cast<std::uint16_t>(ErrorCode::kNodeUnfit)});
  }
  held.state = Held::State::kFinished;
  held.progress.reset();
  held.spec = {};
  held.payload = {};
  events_.push_back(task_event(Kind::kTaskReturned, held.ref, run, unfit));
  if (joined()) send_result(held, now);
}

void SessionCore::send_result(Held& held, const Now& now) {
  const std::size_t bytes = held.result.data.size() + wire::encoded_size(held.result.info);
  outbox_.put_entry<msg::Result>(held.result, bytes + kResultOverheadBytes);
  held.resend_at = now.mono + resend_interval(bytes);
}

void SessionCore::send_results(const Now& now, bool all) {
  if (!joined()) return;
  for (auto& [id, held] : held_)
    if (held.state == Held::State::kFinished && (all || now.mono >= held.resend_at))
      send_result(held, now);
}

void SessionCore::start_tasks(const Now& now) {
  while (!leaving_ && !queue_.empty() &&
         running_.size() < config_.meta.slots + (GENAI_PLANTED(kRunTooMany) ? 1 : 0)) {
    // The same execution may still be ending after it was forgotten.
    if (running_.contains(queue_.front())) return;
    Held& held = *find(queue_.front());
    queue_.pop_front();
    running_.insert(held.ref);
    held.state = Held::State::kRunning;
    held.started = now.mono;
    held.limit = from_ms(held.spec.time_limit_ms);
    events_.push_back(task_event(Kind::kTaskStarted, held.ref, {}));
    events_.push_back(
        Start{held.ref, std::exchange(held.spec, {}), std::exchange(held.payload, {})});
  }
}

/// When its time is over, and the execution is to be told.
Duration SessionCore::Held::runs_until() const {
  if (state != State::kRunning || limit == Duration(0) || is_over_time) return kNever;
  return started + limit;
}

/// An execution that takes too long is stopped, whether or not the broker is there. The result is
/// reported when it has ended: until then the slot is busy.
void SessionCore::keep_time_limits(const Now& now) {
  for (auto& [id, held] : held_) {
    if (held.runs_until() > now.mono) continue;
    held.is_over_time = true;
    held.progress.reset();
    events_.push_back(Stop{held.ref});
  }
}

void SessionCore::check() const {
  std::size_t queued = 0;
  for (const auto& [id, held] : held_) {
    const auto state = held.state;
    GENAI_CHECK(id == held.ref.task_id);
    if (state == Held::State::kRunning || state == Held::State::kStopping)
      GENAI_CHECK(running_.contains(held.ref));
    if (state == Held::State::kQueued) {
      ++queued;
      GENAI_CHECK(std::count(queue_.begin(), queue_.end(), held.ref) == 1);
    }
    if (state != Held::State::kFinished) GENAI_CHECK(held.resend_at == kNever);
  }
  GENAI_CHECK(queue_.size() == queued);  // it names nothing that is not held
  GENAI_CHECK(running_.size() <= config_.meta.slots);
  GENAI_CHECK(held_.size() <= limits::kMaxHeld);  // as many as a HELLO may name
}

}  // namespace genai::node
