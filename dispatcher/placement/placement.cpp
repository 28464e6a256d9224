#include "dispatcher/placement/placement.h"

#include <algorithm>
#include <utility>

#include "dispatcher/tasks/span_bounds.h"
#include "protocol/base/doubled.h"
#include "protocol/base/planted.h"

namespace genai::dispatcher {
namespace {

// How long a task waits after an error: doubled with each one, and up to a quarter more or less, so
// that those that failed together do not come back together.
constexpr Duration kFirstRetry = from_ms(1000), kLongestRetry = from_ms(60'000);
// What is measured matters only in the long run: it is written every few seconds.
constexpr Duration kSaveTime = from_ms(5000);

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

}  // namespace

Placement::Placement(const PlacementPolicy& policy, bool durable, Metrics& metrics)
    : policy_(policy),
      durable_(durable),
      run_ms_(metrics.histogram(
          "run_ms",
          "How long tasks ran at their nodes, as far as that was seen from beginning to end.",
          kSpanBoundsMs)),
      measures_(policy_.queue_length_only),
      tenants_(policy_.quotas),
      backlog_(policy_, measures_, tenants_),
      providers_(policy_, measures_),
      scheduler_(measures_, backlog_, providers_) {
  metrics.gauge("providers", "Nodes that are known.",
                [this] { return Value(std::uint64_t{providers_.size()}); });
  metrics.gauge("calibration",
                "The share of tasks with an estimate that finished within their p95.",
                [this] { return Value(scheduler_.calibration().held()); });
  metrics.counter("calibrated_total", "Tasks with an estimate that have finished.",
                  [this] { return scheduler_.calibration().observed(); });
}

// ---- tasks

QueueEntry& Placement::enroll(Task& task, const TaskSpec& spec, const Now& now) {
  QueueEntry& entry = entries_.add(task.handle);
  backlog_.enroll(entry, task, spec, task.accepted_at, now);
  return entry;
}

void Placement::handle(const task_event::Accepted& event, const Now& now) {
  backlog_.add(enroll(*event.task, *event.spec, now), now.mono);
}

void Placement::restore(Task& task, const Now& now) {
  QueueEntry& entry = enroll(task, task.spec.whole(), now);
  if (!task.recovering) backlog_.add(entry, now.mono);
}

void Placement::handle(const task_event::Assigned& event, const Now& now) {
  QueueEntry& entry = entry_of(*event.task);
  backlog_.remove(entry);
  occupy(entry, *providers_.find(event.session), now);
  entry.seen_whole = true;
}

void Placement::handle(const task_event::Acknowledged& event, const Now& now) {
  Provider& provider = *providers_.find(event.session);
  if (!event.kept) return providers_.count_acceptance(provider);
  QueueEntry& entry = entry_of(*event.task);
  leave_queue(entry, event.was_recovering);
  occupy(entry, provider, now);
}

void Placement::handle(const task_event::Requeued& event, const Now& now) {
  QueueEntry& entry = entry_of(*event.task);
  if (event.from != SessionId{}) vacate(entry, *providers_.find(event.from), now);
  if (event.cause == Cause::kFault) hold_back(entry, *event.task, now);
  backlog_.add(entry, now.mono);
  if (GENAI_PLANTED(kRequeueTwice)) backlog_.add(entry, now.mono);
}

void Placement::handle(const task_event::Ended& event, const Now& now) {
  QueueEntry& entry = entry_of(*event.task);
  const bool is_completed = event.task->status == TaskStatus::kCompleted;
  Provider* const had_it =
      event.was == TaskStatus::kUnscheduled ? nullptr : providers_.find(event.from);
  if (!had_it) {
    leave_queue(entry, event.was_recovering);
  } else {
    if (is_completed && !event.is_late && entry.begun_at != Duration{0} && entry.seen_whole)
      measure(entry, *had_it, event.load_ms, now);
    vacate(entry, *had_it, now);
  }
  if (is_completed) {
    scheduler_.observe(entry, now);
    const bool is_same = had_it && event.by == event.from;
    providers_.count_success(is_same ? *had_it : *providers_.find(event.by), now.mono);
  }
  backlog_.forget(entry);
  entries_.release(entry);
}

void Placement::handle(const task_event::Reprioritised& event, const Now&) {
  QueueEntry& entry = entry_of(*event.task);
  if (event.task->recovering)
    entry.priority = event.task->priority();
  else
    backlog_.set_priority(entry, event.task->priority());
}

void Placement::leave_queue(QueueEntry& entry, bool is_recovering) {
  if (!is_recovering) backlog_.remove(entry);
}

void Placement::occupy(QueueEntry& entry, Provider& provider, const Now& now) {
  providers_.give(provider, entry, now.mono);
  backlog_.placed(entry);
  entry.asked_back = false;
  entry.seen_whole = false;
}

void Placement::vacate(QueueEntry& entry, Provider& provider, const Now& now) {
  const bool begun = entry.begun_at != Duration{0};
  providers_.take(provider, entry, now.mono);
  backlog_.unplaced(entry, begun ? seconds(now.mono - entry.begun_at) : 0);
}

/// After an error the task waits for longer and longer, since trouble passes. Only the first one
/// may be that of its node alone: then it goes to another one at once.
void Placement::hold_back(QueueEntry& entry, const Task& task, const Now& now) {
  if (task.faults == 1 && scheduler_.has_untried(entry, now)) return;
  // What is left of its time must be enough to try it again.
  const Duration most = (task.expires_at - now.mono) / 2;
  entry.not_before = now.mono + std::min(retry_delay(task.sequence, task.faults), most);
}

/// What the attempt took, as far as this side has seen it from beginning to end.
void Placement::measure(const QueueEntry& entry, Provider& provider, std::uint64_t load_ms,
                        const Now& now) {
  const double took_s = seconds(now.mono - entry.begun_at);
  const double load_s = std::min(static_cast<double>(load_ms) / 1000, took_s);
  const TaskClass& group = *entry.group;
  measures_.ran(provider.record->measured, group.model, group.key.size, took_s - load_s, load_s,
                to_ms(now.wall));
  run_ms_.observe(took_s * 1000);
  save_later(provider, now.mono + kSaveTime);
}

// ---- nodes

void Placement::handle(const task_event::Aborting& event, const Now& now) {
  Provider& provider = *providers_.find(event.session);
  provider.aborting = event.attempts;
  providers_.reindex(provider, now.mono);
}

void Placement::handle(const task_event::Behaved& event, const Now& now) {
  Provider& provider = *providers_.find(event.session);
  NodeRecord& record = *provider.record;
  const auto failed = [&](bool is_lost) {
    measures_.failed(record.measured, entry_of(*event.task).group->model, is_lost, to_ms(now.wall));
  };
  switch (event.conduct) {
    case Conduct::kImpossible:
      ++record.failed;
      return save_later(provider, now.mono + kSaveTime);
    case Conduct::kError:
      ++record.failed;
      save_later(provider, now.mono + kSaveTime);
      failed(false);
      return providers_.count_fault(provider, now.mono);
    case Conduct::kCrashed:
      return failed(true);
    case Conduct::kDropped:
      ++record.lost;
      return providers_.count_fault(provider, now.mono);
    case Conduct::kSlow:
      return providers_.count_fault(provider, now.mono);
    case Conduct::kFull:
      return providers_.count_refusal(provider, now.mono);
    case Conduct::kRefused:
      return providers_.bar(provider, now.mono);
    case Conduct::kUnfit:
      if (provider.unfit == 0)
        events_.push_back({LogEvent::Level::kWarn,
                           "node can run nothing now",
                           {{"node_id", provider.node_id.str()}}});
      return providers_.count_unfit(provider, event.said, now.mono);
    case Conduct::kLeaving:
      return;  // its reach changes
  }
}

/// One that comes and goes is given less and less.
void Placement::handle(const task_event::SessionEnded& event, const Now& now) {
  Provider& provider = *providers_.find(event.session);
  provider.record->lost += event.had;
  if (event.is_crash || (event.cause == Cause::kDrain && event.had > 0))
    providers_.count_failure(provider, now.mono);
  save_later(provider, now.mono + kSaveTime);
  providers_.remove(provider);
}

void Placement::handle(const fleet_event::Joined& event, const Now& now) {
  Provider* provider = providers_.find(event.session);
  if (!provider) provider = &providers_.add(event.session, event.node_id, now);
  providers_.set_meta(*provider, event.meta, now.mono);
  if (event.says_hello) providers_.clear_unfit(*provider, now.mono);
}

void Placement::handle(const fleet_event::ReachChanged& event, const Now& now) {
  Provider& provider = *providers_.find(event.session);
  provider.reach = event.reach;
  providers_.reindex(provider, now.mono);
}

void Placement::handle(const fleet_event::Loaded& event, const Now& now) {
  providers_.set_loaded(*providers_.find(event.session), event.models, now.mono);
}

bool Placement::drain(const NodeId& node, bool on, const Now& now) {
  if (!providers_.knows(node)) return false;
  NodeRecord& record = providers_.record(node);
  record.drained = on;
  if (durable_) {
    if (!std::exchange(record.unsaved, true)) unsaved_nodes_.push_back(node);
    unsaved_due_ = Duration{0};
  }
  if (Provider* provider = providers_.find_node(node)) providers_.reindex(*provider, now.mono);
  return true;
}

// ---- passes

void Placement::expire(const Now& now) {
  while (Provider* provider = providers_.next_due(now.mono))
    providers_.reindex(*provider, now.mono);
}

std::optional<Placement::Choice> Placement::next(const Now& now) {
  auto placed = scheduler_.next(now);
  if (!placed) return std::nullopt;
  return Choice{placed->task->handle, placed->provider->session, std::move(placed->reason)};
}

std::vector<TaskHandle> Placement::recalls(const Now& now) {
  std::vector<TaskHandle> tasks;
  for (const auto& [entry, provider] : scheduler_.recalls(now)) tasks.push_back(entry->handle);
  return tasks;
}

// ---- what others ask

std::optional<Error> Placement::no_room_for(const TaskSpec& spec, std::size_t content_bytes) const {
  if (!backlog_.has_class_for(spec, providers_.size()))
    return Error{ErrorCode::kQueueFull, "tasks of too many kinds (requirements, costs) are queued"};
  return tenants_.over_quota(spec.tenant, content_bytes);
}

std::optional<double> Placement::run_s(const TaskSpec& spec) {
  return measures_.fleet_run(measures_.model(spec.needs.model), size_class(spec.work));
}

std::string Placement::misfits(const Task& task, const Now& now) {
  return scheduler_.misfits(entry_of(task), now);
}

msg::Estimate Placement::promise(const Task& task, const Now& now) {
  return scheduler_.promise(entry_of(task), now);
}

msg::Estimate Placement::estimate(const Task& task, const Now& now) {
  return scheduler_.estimate(entry_of(task), now);
}

std::vector<Candidate> Placement::candidates(const Task& task, std::size_t count, const Now& now) {
  return scheduler_.candidates(entry_of(task), count, now);
}

std::string Placement::reason_to_wait(const Task& task, const Now& now) {
  return scheduler_.reason_to_wait(entry_of(task), now);
}

void Placement::check() const {
  backlog_.check_invariants();
  providers_.check_invariants();
}

}  // namespace genai::dispatcher
