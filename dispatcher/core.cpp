#include "dispatcher/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "dispatcher/tasks/result_info.h"
#include "protocol/base/check.h"
#include "protocol/base/doubled.h"
#include "protocol/base/planted.h"
#include "protocol/base/text.h"

namespace genai::dispatcher {
namespace {

// Attempts remembered per task. A result of one that was forgotten is discarded.
constexpr std::size_t kMaxIssued = 64;
// Nodes keep the time limit themselves and tell it better; this side is for those that do not.
constexpr Duration kTimeLimitGrace = from_ms(2000);

// How long a task waits after an error: doubled with each one, and up to a quarter more or less, so
// that those that failed together do not come back together.
constexpr Duration kFirstRetry = from_ms(1000), kLongestRetry = from_ms(60'000);

Duration retry_delay(std::uint64_t task, std::uint32_t errors) {
  const Duration delay = doubled(kFirstRetry, errors - 1, kLongestRetry);
  // Of a task and its error always the same (splitmix64; Steele, Lea and Flood, 2014).
  std::uint64_t mixed = task * 0x9e3779b97f4a7c15 + errors;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  mixed ^= mixed >> 31;
  const auto percent = static_cast<std::int64_t>(75 + mixed % 51);
  return delay * percent / 100;
}

std::string with_what_was_said(const std::string& reason, const std::string& said) {
  return said.empty() ? reason : reason + ": " + said;
}

}  // namespace

Core::Core(const Config& config, InstanceId instance, std::uint64_t epoch,
           const std::vector<std::string>& broker_endpoints, const Now& now)
    : config_(config),
      instance_(instance),
      epoch_(epoch),
      started_(now.mono),
      changes_(config.durable),
      tasks_(changes_),
      journal_(changes_, tasks_),
      measures_(config_.queue_length_only),
      tenants_(config_.quotas),
      backlog_(config_, measures_, tenants_),
      providers_(config_, measures_),
      scheduler_(config_, measures_, backlog_, providers_),
      clients_(config_.resend),
      archive_(config_),
      last_tick_(now.mono) {
  for (const std::string& endpoint : broker_endpoints) {
    Link link;
    link.endpoint = endpoint;
    link.heard_at = link.hello_at = link.heartbeat_at = now.mono;
    links_.push_back(link);
  }
  register_gauges();
}

/// What is not counted here but can be told at any time.
void Core::register_gauges() {
  const auto gauge = [this](const char* name, const char* help, auto read) {
    metrics_.gauge(name, help, [read] { return Value(read()); });
  };
  metrics_.counter("commits_total", "Commits of the store.", [this] { return store_.commits; });
  metrics_.counter("committed_tasks_total", "Tasks written, counted once for each commit.",
                   [this] { return store_.tasks; });
  gauge("commit_us", "How long the last commit took.", [this] { return store_.last_us; });
  gauge("providers", "Nodes that are known.", [this] { return std::uint64_t{providers_.size()}; });
  gauge("queued_bytes", "Payloads and specs of tasks that have not ended.",
        [this] { return std::uint64_t{tasks_.queued_bytes()}; });
  gauge("result_bytes", "Results that wait for their clients.",
        [this] { return std::uint64_t{archive_.result_bytes()}; });
  gauge("failed_bytes", "Payloads and specs of Failed tasks.",
        [this] { return std::uint64_t{archive_.failed_bytes()}; });
  gauge("calibration", "The share of tasks with an estimate that finished within their p95.",
        [this] { return scheduler_.calibration().held(); });
  metrics_.counter("calibrated_total", "Tasks with an estimate that have finished.",
                   [this] { return scheduler_.calibration().observed(); });
}

// ---- edges of the life cycle
// ---------------------------------------------------------------------

void Core::assign(Task& task, Provider& provider, std::string_view reason, const Now& now) {
  backlog_.remove(*task.entry);
  const std::uint32_t number =
      task.issued.empty() || GENAI_PLANTED(kReuseAttempt) ? 1 : task.issued.back().number + 1;
  if (task.issued.size() == kMaxIssued) task.issued.erase(task.issued.begin());
  task.issued.push_back({number, epoch_, provider.session, provider.node_id});
  task.current = number;
  tasks_.move(task, TaskStatus::kScheduled, reason, now, provider.node_id, number);
  tasks_.set_phase_end(task, now.mono + config_.assign_ack);
  occupy(task, provider, now);
  task.entry->seen_whole = true;
  if (number == 1) queue_ms_.observe(1000 * seconds(now.mono - task.accepted_at));
  outbox_.assign(provider, task, ref_of(task));
  notify(task);
}

void Core::acknowledge(Task& task, Provider& provider, const Now& now) {
  tasks_.move(task, TaskStatus::kSent, "node took it", now, provider.node_id, task.current);
  providers_.count_acceptance(provider);
  start_clock(task, provider, now);
  notify(task);
}

void Core::adopt(Task& task, Provider& provider, IssuedAttempt& attempt, const Now& now) {
  leave_queue(task);
  task.current = attempt.number;
  tasks_.move(task, TaskStatus::kSent, "kept: its node still holds it", now, provider.node_id,
              attempt.number);
  occupy(task, provider, now);
  start_clock(task, provider, now);
  notify(task);
}

void Core::occupy(Task& task, Provider& provider, const Now& now) {
  providers_.give(provider, *task.entry, now.mono);
  backlog_.placed(*task.entry);
  task.entry->asked_back = false;
  task.entry->seen_whole = false;
}

/// A prefetched task waits for those before it, so its clock allows for them too.
void Core::start_clock(Task& task, const Provider& provider, const Now& now) {
  task.acknowledged_at = now.mono;
  const Duration limit =
      task.spec.time_limit_ms() ? from_ms(task.spec.time_limit_ms()) : config_.time_limit;
  const auto rounds = 1 + (provider.outstanding() - 1) / provider.meta.slots;
  tasks_.set_phase_end(task,
                       now.mono + limit * static_cast<std::int64_t>(rounds) + kTimeLimitGrace);
}

/// An Unscheduled task is about to be something else.
void Core::leave_queue(Task& task) {
  if (!task.recovering) return backlog_.remove(*task.entry);
  task.recovering = false;
  recovering_.erase(task.sequence);
}

Provider* Core::detach(Task& task, const Now& now) {
  GENAI_CHECK(task.is_assigned());
  Provider* provider = providers_.find(task.attempt(task.current)->session);
  GENAI_CHECK(provider != nullptr);
  QueueEntry& entry = *task.entry;
  const bool begun = entry.begun_at != Duration{0};
  providers_.take(*provider, entry, now.mono);
  backlog_.unplaced(entry, begun ? seconds(now.mono - entry.begun_at) : 0);
  if (!progress_.empty()) progress_.erase(task.handle);
  return provider;
}

bool Core::used_up(const Task& task) const {
  const std::uint32_t faults =
      task.spec.max_attempts() ? task.spec.max_attempts() : config_.max_faults;
  return task.faults >= faults || task.losses >= config_.max_losses ||
         task.drains >= config_.max_drains;
}

void Core::requeue(Task& task, Cause cause, ErrorCode code, const std::string& reason,
                   const Now& now, const std::string& said) {
  if (cause == Cause::kFault) ++task.faults;
  if (cause == Cause::kLoss) ++task.losses;
  if (cause == Cause::kDrain) ++task.drains;
  const IssuedAttempt& ended = *task.attempt(task.current);
  if (used_up(task))
    return finish(task, TaskStatus::kFailed, code,
                  fmt::format("attempts used up: {} errors, {} losses, {} drains; {}", task.faults,
                              task.losses, task.drains, reason),
                  now, &ended, said);
  detach(task, now);
  ++requeued_total_;
  outbox_.note({LogEvent::Level::kInfo,
                "task requeued",
                {{"task_id", task.id.str()},
                 {"attempt", ended.number},
                 {"node_id", ended.node_id.str()},
                 {"code", name(code)},
                 {"reason", reason}}});
  tasks_.move(task, TaskStatus::kUnscheduled, with_what_was_said(reason, said), now, ended.node_id,
              ended.number);
  if (cause == Cause::kFault) hold_back(task, now);
  backlog_.add(*task.entry, now.mono);
  if (GENAI_PLANTED(kRequeueTwice)) backlog_.add(*task.entry, now.mono);
  notify(task);
}

/// After an error the task waits for longer and longer, since trouble passes. Only the first one
/// may be that of its node alone: then it goes to another one at once.
void Core::hold_back(Task& task, const Now& now) {
  if (task.faults == 1 && scheduler_.has_untried(*task.entry, now)) return;
  // What is left of its time must be enough to try it again.
  const Duration most = (task.expires_at - now.mono) / 2;
  task.entry->not_before = now.mono + std::min(retry_delay(task.sequence, task.faults), most);
}

/// Its node gave the task back, or left. Each node is charged once, and only for what it had taken:
/// one that comes and leaves without end cannot use up the tasks of others.
void Core::take_back(Task& task, ErrorCode code, const std::string& reason, const Now& now) {
  IssuedAttempt& attempt = *task.attempt(task.current);
  const bool before = std::ranges::any_of(task.issued, [&](const IssuedAttempt& a) {
    return a.drained && a.node_id == attempt.node_id;
  });
  const bool charged = task.status == TaskStatus::kSent && !before;
  attempt.drained = charged;
  requeue(task, charged ? Cause::kDrain : Cause::kNobody, code, reason, now);
}

void Core::finish(Task& task, TaskStatus status, ErrorCode code, std::string reason, const Now& now,
                  const IssuedAttempt* by, const std::string& said) {
  if (task.status == TaskStatus::kUnscheduled)
    leave_queue(task);
  else
    detach(task, now);
  if (status == TaskStatus::kCompleted) scheduler_.observe(*task.entry, now);
  backlog_.forget(*task.entry);
  entries_.release(*std::exchange(task.entry, nullptr));
  task.code = code;
  if (status != TaskStatus::kCompleted) {
    task.info["error"] = clip_text(with_what_was_said(reason, said));
    task.result = {};
  }
  if (status == TaskStatus::kFailed || outbox_.reads_debug())
    outbox_.note({status == TaskStatus::kFailed ? LogEvent::Level::kWarn : LogEvent::Level::kDebug,
                  status == TaskStatus::kFailed ? "task failed" : "task ended",
                  {{"task_id", task.id.str()},
                   {"status", name(status)},
                   {"code", name(code)},
                   {"reason", reason}}});
  tasks_.move(task, status, with_what_was_said(reason, said), now, by ? by->node_id : NodeId(),
              by ? by->number : 0);
  trim_info(task.info);
  task.ended_by = by ? by->number : 0;
  if (!progressed_.empty()) progressed_.erase(task.sequence);
  archive_.add(task);
  notify(task);
  clients_.enqueue(task);
}

void Core::abort_attempt(Provider& provider, const AssignmentRef& ref, ErrorCode code,
                         const Now& now) {
  const Duration resend_at = now.mono + config_.abort_resend;
  if (!provider.zombies.emplace(ref, Provider::Zombie{code, resend_at}).second) return;
  abort_resends_.emplace(resend_at, std::pair{provider.session, ref});
  providers_.reindex(provider, now.mono);
  if (!GENAI_PLANTED(kForgetAbort)) outbox_.abort(provider, ref, code);
}

/// Takes the attempt away from its node; the task is left for the caller to move at once.
void Core::abort_current(Task& task, ErrorCode code, const Now& now) {
  if (!task.is_assigned()) return;
  Provider& provider = *providers_.find(task.attempt(task.current)->session);
  abort_attempt(provider, ref_of(task), code, now);
}

// ---- time
// ----------------------------------------------------------------------------------------

void Core::tick(const Now& now) {
  // After a pause of our own, answers may still wait in the sockets: give them a moment.
  if (now.mono - last_tick_ > config_.lost / 2) {
    judge_from_ = now.mono + config_.heartbeat;
    outbox_.note({LogEvent::Level::kWarn,
                  "this process was late: judging nobody for a moment",
                  {{"late_ms", to_ms(now.mono - last_tick_)}}});
    for (Link& link : links_) link.heard_at += now.mono - last_tick_;
  }
  last_tick_ = now.mono;

  for (std::size_t i = 0; i < links_.size(); ++i) tick_link(i, now);
  if (now.mono >= judge_from_) {
    while (Provider* provider = providers_.next_due(now.mono)) {
      if (provider->reach == Reach::kUnreachable && provider->lost_at <= now.mono)
        lose(*provider, Cause::kLoss, ErrorCode::kProviderLost,
             "its broker has not heard of it again", now);
      else
        providers_.reindex(*provider, now.mono);
    }
    Explanations explanations;
    while (Task* task = tasks_.next_due(now.mono)) end_phase(*task, explanations, now);
  }
  if (recovery_ends_ <= now.mono && now.mono >= judge_from_) end_recovery(now);
  resend_aborts(now);
  notify_progressed();
  // Results that cannot leave would only pile up, once more with each repetition.
  if (!is_store_full()) {
    clients_.tick(now.mono);
    backlog_.release_due(now.mono);
    schedule(now);
    ask_back(now);
    deliver_ready(now);
    answer_listings(now);
  }
  enforce_retention(now);
  if (journal_.empty()) tasks_.compact();
}

void Core::end_phase(Task& task, Explanations& explanations, const Now& now) {
  if (task.expires_at <= now.mono) return expire_task(task, explanations, now);
  IssuedAttempt& attempt = *task.attempt(task.current);
  Provider& provider = *providers_.find(attempt.session);
  // The answer may be stuck behind the link's silence, which is judged first.
  const Link& link = links_[provider.broker];
  const bool is_heard = link.up && now.mono - link.heard_at < config_.lost / 2;
  if (task.status == TaskStatus::kScheduled && !is_heard)
    return tasks_.set_phase_end(task, now.mono + config_.assign_ack);
  attempt.failed = true;
  if (task.status == TaskStatus::kScheduled) {
    abort_current(task, ErrorCode::kAssignUnanswered, now);
    requeue(task, Cause::kNobody, ErrorCode::kAssignUnanswered,
            "the node did not answer the assignment", now);
  } else {
    abort_current(task, ErrorCode::kTimeLimit, now);
    requeue(task, Cause::kFault, ErrorCode::kTimeLimit, "the time limit passed without a result",
            now);
  }
  providers_.count_fault(provider, now.mono);
}

void Core::expire_task(Task& task, Explanations& explanations, const Now& now) {
  const bool missed = task.deadline <= task.expires_at;
  const ErrorCode code = missed ? ErrorCode::kDeadlineMissed : ErrorCode::kExpired;
  abort_current(task, code, now);
  std::string reason =
      missed ? "its deadline passed" : fmt::format("expired after {} ms", task.spec.whole().ttl_ms);
  if (task.status == TaskStatus::kUnscheduled)
    reason += " in the queue: " + explain(task, explanations, now);
  else
    reason += " while " + std::string(name(task.status));
  finish(task, TaskStatus::kFailed, code, clip_text(reason), now);
}

/// Why a task waits.
std::string Core::explain(const Task& task, Explanations& explanations, const Now& now) {
  if (is_superseded()) return kSupersededText;
  if (std::ranges::all_of(links_, [](const Link& link) { return link.refused != ErrorCode::kOk; }))
    return "no broker lets this dispatcher in: its key is not authorized";
  if (task.recovering)
    return "the dispatcher was restarted: waiting for " +
           task.attempt(task.current)->node_id.str() + " to report";
  const QueueEntry& entry = *task.entry;
  if (const Duration wait = entry.not_before - now.mono; wait > Duration{0}) {
    if (task.issued.empty()) return fmt::format("not to be started for another {} ms", to_ms(wait));
    return fmt::format("not to be tried again for another {} ms, after {} error{}", to_ms(wait),
                       task.faults, task.faults == 1 ? "" : "s");
  }
  if (!entry.tenant->may_run())
    return fmt::format("tenant '{}' has {} tasks running, its limit", entry.tenant->name,
                       entry.tenant->running);
  if (std::string reason = scheduler_.reason_to_wait(entry, now); !reason.empty()) return reason;
  auto [it, missing] = explanations.try_emplace(entry.group);
  if (missing)
    it->second = providers_.explain(entry.group->key.needs, entry.group->key.max_cost, now.mono);
  return it->second;
}

void Core::resend_aborts(const Now& now) {
  while (!abort_resends_.empty() && abort_resends_.begin()->first <= now.mono) {
    const Duration due = abort_resends_.begin()->first;
    const auto [session, ref] = abort_resends_.begin()->second;
    abort_resends_.erase(abort_resends_.begin());
    Provider* provider = providers_.find(session);
    if (!provider) continue;
    auto zombie = provider->zombies.find(ref);
    // A zombie that was given up and claimed again has a later entry of its own.
    if (zombie == provider->zombies.end() || zombie->second.resend_at != due) continue;
    zombie->second.resend_at = now.mono + config_.abort_resend;
    abort_resends_.emplace(zombie->second.resend_at, std::pair{session, ref});
    if (provider->reach != Reach::kUnreachable) outbox_.abort(*provider, ref, zombie->second.code);
  }
}

void Core::enforce_retention(const Now& now) {
  while (Task* task = archive_.overdue_result(now.mono)) drop_unfetched(*task, now);
  while (Task* task = archive_.overdue_failed(now.mono)) {
    outbox_.note({LogEvent::Level::kWarn,
                  "failed task forgotten: nobody replayed or purged it within the retention limits",
                  {{"task_id", task->id.str()}}});
    forget(task->handle, now);
  }
  while (const auto task = archive_.overdue_history(now.mono)) forget(*task, now);
}

/// The task is about to be forgotten.
void Core::unlink(TaskHandle task) {
  archive_.remove(tasks_.at(task));
  clients_.forget(task);
}

void Core::forget(TaskHandle task, const Now& now) {
  unlink(task);
  tasks_.expire(task, now.mono);
}

void Core::schedule(const Now& now) {
  scheduler_.start();
  while (auto placement = scheduler_.next(now))
    assign(task_of(*placement->task), *placement->provider, placement->reason, now);
}

/// The attempt stays what it is until its node says that it has not begun.
void Core::ask_back(const Now& now) {
  for (const auto& [task, provider] : scheduler_.recalls(now))
    outbox_.abort(*provider, ref_of(*task->record), ErrorCode::kTakenBack);
}

Duration Core::next_deadline() const {
  // However little there is to do: a long sleep of its own must not pass for lateness.
  Duration at = std::min(last_tick_ + config_.lost / 4, archive_.next_deadline());
  if (!is_store_full()) {
    if (!listings_.empty()) return last_tick_;
    at = std::min({at, clients_.next_deadline(), backlog_.next_deadline()});
  }
  // Judgements that wait for judge_from_ must not make the loop spin until then.
  const Duration judged = std::min(tasks_.next_deadline(), providers_.next_deadline());
  at = std::min(at, judged == kNever ? kNever : std::max(judged, judge_from_));
  if (recovery_ends_ != kNever) at = std::min(at, std::max(recovery_ends_, judge_from_));
  if (!abort_resends_.empty()) at = std::min(at, abort_resends_.begin()->first);
  for (const Link& link : links_) {
    if (link.asks) at = std::min(at, link.hello_at);
    at = std::min(at, link.up ? std::min(link.heartbeat_at,
                                         std::max(link.heard_at + config_.lost, judge_from_))
                              : link.hello_at);
  }
  return GENAI_PLANTED(kSpin) && tasks_.live() > 0 ? last_tick_ : at;
}

Effects Core::take_effects() { return outbox_.take(); }

void Core::check_invariants() const {
  tasks_.check_invariants();
  backlog_.check_invariants();
  providers_.check_invariants();
  GENAI_CHECK(backlog_.size() + recovering_.size() == tasks_.count(TaskStatus::kUnscheduled));
  std::size_t assigned = 0;
  for (const auto& [session, provider] : providers_.sessions()) {
    assigned += provider->tasks.size();
    GENAI_CHECK(provider->broker < links_.size());
  }
  for (const auto& [sequence, task] : recovering_) {
    GENAI_CHECK(task->recovering && task->status == TaskStatus::kUnscheduled);
    GENAI_CHECK(task->attempt(task->current) != nullptr);
  }
  GENAI_CHECK(assigned == tasks_.count(TaskStatus::kScheduled) + tasks_.count(TaskStatus::kSent));
}

}  // namespace genai::dispatcher
