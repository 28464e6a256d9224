#include "oracle.h"

#include <algorithm>

#include "dispatcher/tasks/result_info.h"
#include "failure.h"
#include "protocol/base/bundle.h"
#include "protocol/base/limits.h"

namespace genai::sim {
namespace {

using dispatcher::Assignee;
using dispatcher::Dispatcher;
using dispatcher::Provider;
using dispatcher::QueueEntry;
using dispatcher::Reach;
using dispatcher::Task;

std::string text(const AssignmentRef& ref) {
  return fmt::format("{}/{}@{}", ref.task_id.str(), ref.attempt, ref.epoch);
}

/// What is apart is on the disk alone.
bool is_same(const dispatcher::Data& here, const dispatcher::Data& kept) {
  return here.is_apart() ? here.size() == kept.size() : here == kept;
}

}  // namespace

// ---- what the dispatcher lets out

void Oracle::assigned(const Dispatcher& core, std::size_t prefetch, const SessionId& session,
                      const AssignmentRef& ref) {
  const bool is_known = core.tasks().knows(ref.task_id);
  require(is_known, "{} is assigned, but not known", text(ref));
  const auto* provider = [&]() -> const Provider* {
    auto it = core.providers().sessions().find(session);
    return it == core.providers().sessions().end() ? nullptr : it->second.get();
  }();
  // A node that came back without having heard of an assignment is sent it again.
  auto [it, is_new] = issued_.emplace(ref, session);
  if (promises_[ref.task_id].may_vanish) it->second = session;  // purged, and submitted anew
  require(it->second == session, "{} is assigned to two sessions", text(ref));
  if (!is_new) return env_.coverage.count("assignment sent again");
  require(provider != nullptr, "{} is assigned to a session that is gone", text(ref));
  // While its payload was read the node may have said that it has more, or takes no more.
  const bool was_read = core.tasks().peek(ref.task_id)->payload.is_apart();
  require(provider->reach == Reach::kOnline || (was_read && provider->reach != Reach::kUnreachable),
          "{} is assigned to a node that is {}", text(ref), name(provider->reach));
  require(was_read || provider->outstanding() <= provider->meta.slots + prefetch,
          "{} is assigned to {}, which has {} tasks", text(ref), provider->node_id.str(),
          provider->outstanding() - 1);
  const std::pair now(ref.epoch, ref.attempt);
  auto& newest = newest_[ref.task_id];
  // A dispatcher that does not know yet that it was succeeded goes on under its own epoch.
  require(newest.first > ref.epoch || newest < now, "{} follows attempt {}@{}", text(ref),
          newest.second, newest.first);
  newest = std::max(newest, now);
}

void Oracle::acknowledged_result(const msg::ResultAck::Entry& entry) {
  if (entry.code != ErrorCode::kOk) return;
  const auto* kept = disk_.find(entry.ref.task_id);
  if (!kept && promises_[entry.ref.task_id].may_vanish) return;
  require(kept != nullptr, "the result of {} was acknowledged, but is not on the disk",
          text(entry.ref));
  const auto attempt =
      std::ranges::find(kept->issued, entry.ref.attempt, &dispatcher::IssuedAttempt::number);
  require(attempt != kept->issued.end(), "the result of {} was acknowledged, not its attempt",
          text(entry.ref));
  // An error result is acknowledged once it is counted; a result, once it is kept.
  require(is_terminal(kept->status) || kept->faults + kept->drains + kept->losses > 0 ||
              attempt->failed || !attempt->open,
          "the result of {} was acknowledged, but the disk says nothing of it", text(entry.ref));
}

void Oracle::told(const msg::Accepted& message) {
  for (const auto& verdict : message.verdicts) {
    if (verdict.code != ErrorCode::kOk) continue;
    Promise& promise = promises_[verdict.task_id];
    require(promise.may_vanish || disk_.find(verdict.task_id) != nullptr,
            "{} was accepted, but is not on the disk", verdict.task_id.str());
    promise.accepted = true;
  }
}

void Oracle::told(const msg::Cancelled& message) {
  for (const auto& verdict : message.verdicts) {
    Promise& promise = promises_[verdict.task_id];
    const auto* kept = disk_.find(verdict.task_id);
    if (verdict.code == ErrorCode::kOk) {
      require(kept ? kept->status == TaskStatus::kAborted : promise.may_vanish,
              "{} was cancelled, but the disk says otherwise", verdict.task_id.str());
      require(!promise.not_cancelled, "{} was cancelled after it could not be",
              verdict.task_id.str());
      promise.cancelled = true;
    } else if (verdict.code == ErrorCode::kAlreadyTerminal) {
      require(kept ? is_terminal(kept->status) : promise.may_vanish,
              "{} is said to have ended, but the disk says otherwise", verdict.task_id.str());
      if (!promise.cancelled && kept && kept->status != TaskStatus::kAborted)
        promise.not_cancelled = true;
    }
  }
}

void Oracle::told_gone(const std::vector<msg::Verdict>& verdicts) {
  for (const auto& verdict : verdicts)
    if (verdict.code == ErrorCode::kOk)
      require(disk_.find(verdict.task_id) == nullptr, "{} was purged, but is on the disk",
              verdict.task_id.str());
}

void Oracle::told(const msg::Deliver& message) {
  for (const auto& entry : message.entries) {
    const std::string& id = entry.task_id.str();
    Promise& promise = promises_[entry.task_id];
    const auto* kept = disk_.find(entry.task_id);
    require(kept ? kept->status == entry.status : promise.may_vanish,
            "{} is delivered as {}, but the disk says otherwise", id, name(entry.status));
    ended(entry.task_id, entry.status, "a delivery");
    if (entry.status != TaskStatus::kCompleted || get_bool(entry.info, "result_gone")) continue;
    const std::string data(entry.data.view());
    require(results_[entry.task_id].contains(data),
            "{} is delivered with a result of no execution: {}", id, data);
    require(!promise.delivered || promise.data == data, "{} is delivered with two results", id);
    promise.delivered = true;
    promise.data = data;
    check_files(entry.task_id, entry.info, data);
  }
}

/// The list is that of the data, and of the same attempt.
void Oracle::check_files(const TaskId& id, const ValueMap& info, std::string_view data) {
  if (!has_bundle(id)) return;
  const auto files = read_files(info, data.size());
  require(files && files->size() == 2, "{}: its data is without its files", id.str());
  const std::string by = fmt::format(" by {}@", get_uint(files->front().metadata, "attempt"));
  require(data.find(by) != data.npos, "{}: its files are those of another attempt", id.str());
  env_.coverage.count("read a bundle");
}

/// Bytes of the one result that counts, whoever reads them, and however often.
void Oracle::told(const msg::Fetched& message) {
  const std::string& id = message.task_id.str();
  const auto* kept = disk_.find(message.task_id);
  require(kept || promises_[message.task_id].may_vanish, "{} was fetched, and is not on the disk",
          id);
  if (is_terminal(message.status)) ended(message.task_id, message.status, "a fetch");
  if (!kept || kept->result.empty() || message.data.empty()) return;
  require(message.total == kept->result.size() && message.offset <= message.total,
          "{}: another size was fetched than there is", id);
  require(kept->result.view().substr(message.offset, message.data.size()) == message.data.view(),
          "{}: other bytes were fetched than there are", id);
  check_files(message.task_id, message.info, kept->result.view());
  env_.coverage.count("fetched a part");
}

// ---- what others do

void Oracle::executed(const AssignmentRef& ref, const SessionId& by) {
  auto it = issued_.find(ref);
  require(it != issued_.end() && it->second == by, "{} is executed by whom it was not issued to",
          text(ref));
}

void Oracle::produced(const AssignmentRef& ref, const SessionId& by, const std::string& data) {
  if (auto it = issued_.find(ref); it != issued_.end() && it->second == by)
    results_[ref.task_id].insert(data);
}

// ---- what must hold

void Oracle::ended(const TaskId& id, TaskStatus status, const char* where) {
  Promise& promise = promises_[id];
  if (promise.may_vanish) return;  // and its id may have been used again
  require(!promise.has_end || promise.end == status, "{} ended {}, and is {} in {}", id.str(),
          name(promise.end), name(status), where);
  require(!promise.cancelled || status == TaskStatus::kAborted, "{} was cancelled, and is {} in {}",
          id.str(), name(status), where);
  require(!promise.not_cancelled || status != TaskStatus::kAborted,
          "{} had ended before it was cancelled, and is Aborted in {}", id.str(), where);
  promise.has_end = true;
  promise.end = status;
}

void Oracle::check_disk() {
  for (const auto& [sequence, task] : disk_.tasks())
    if (is_terminal(task.status)) ended(task.id, task.status, "the store");
  for (const auto& [id, promise] : promises_) {
    if (!promise.accepted || promise.may_vanish) continue;
    const auto* kept = disk_.find(id);
    require(kept != nullptr, "{} was accepted, and is not on the disk any more", id.str());
    require(!promise.has_end || kept->status == promise.end, "{} ended {}, and is {} on the disk",
            id.str(), name(promise.end), name(kept->status));
  }
}

void Oracle::check_core(const Dispatcher& core, bool owns_disk, bool quiet) {
  core.check();
  for (const auto& [session, provider] : core.providers().sessions()) check_provider(*provider);
  for (const auto& [session, assignee] : core.lifecycle().assignments().sessions())
    check_assignee(assignee);
  for (const dispatcher::Known& known : core.tasks())
    if (const Task* const task = known.present()) check_task(core, *task);
  if (!owns_disk) return;
  owner_ = &core;
  for (const auto& [id, promise] : promises_)
    if (promise.accepted && !promise.may_vanish)
      require(core.tasks().knows(id), "{} was accepted, and is forgotten", id.str());
  if (quiet) check_replay(core);
}

void Oracle::check_provider(const Provider& provider) {
  double committed = 0;
  for (const QueueEntry* task : provider.tasks) committed += task->expected_s;
  require(std::abs(committed - provider.committed_s) < 1e-6 * (1 + committed),
          "the load of {} is not the sum of its tasks", provider.node_id.str());
}

void Oracle::check_assignee(const Assignee& assignee) {
  for (const auto& [ref, abort] : assignee.aborts)
    for (const Task* task : assignee.tasks)
      require(task->id != ref.task_id || task->current != ref.attempt,
              "{} is both assigned and given up", text(ref));
}

void Oracle::check_task(const Dispatcher& core, const Task& task) {
  std::uint32_t last = 0;
  for (const auto& attempt : task.issued) {
    require(attempt.number > last, "{}: attempt {} follows {}", task.id.str(), attempt.number,
            last);
    last = attempt.number;
  }
  std::size_t assigned = 0;
  for (const auto& [session, provider] : core.providers().sessions())
    assigned +=
        static_cast<std::size_t>(std::ranges::count(provider->tasks, core.placement().entry(task)));
  require(assigned == (task.is_assigned() ? 1 : 0), "{} is {} and assigned {} times", task.id.str(),
          name(task.status), assigned);
}

/// What a restart would find is what is there.
void Oracle::check_replay(const Dispatcher& core) {
  require(disk_.tasks().size() == core.tasks().size(), "{} tasks on the disk, {} in memory",
          disk_.tasks().size(), core.tasks().size());
  for (const auto& [sequence, kept] : disk_.tasks()) {
    const auto task = core.tasks().peek(kept.id);
    const std::string& id = kept.id.str();
    require(bool(task), "{} is on the disk, and forgotten", id);
    require(task->sequence == sequence, "{} has another place in the order on the disk", id);
    // That its node has it is worth no commit: the node says so again.
    const bool same = task->status == kept.status ||
                      (task->is_assigned() && kept.status == TaskStatus::kScheduled);
    require(task->recovering || same, "{} is {}, but {} on the disk", id, name(task->status),
            name(kept.status));
    if (task->is_assigned() || task->recovering)
      require(task->current == kept.current, "{} is assigned with attempt {}, {} on the disk", id,
              task->current, kept.current);
    require(
        task->faults == kept.faults && task->losses == kept.losses && task->drains == kept.drains,
        "{}: its counters are not those on the disk", id);
    require(task->issued.size() == kept.issued.size(), "{}: {} attempts, {} on the disk", id,
            task->issued.size(), kept.issued.size());
    require(task->fetched == kept.fetched, "{}: the disk does not agree who has its result", id);
    if (is_terminal(task->status))
      require(task->code == kept.code && is_same(task->result, kept.result),
              "{}: another end on the disk", id);
    else
      require(is_same(task->payload, kept.payload), "{}: another payload on the disk", id);
    check_words(*task, kept);
  }
  for (const auto& [node, record] : core.providers().records()) {
    const auto kept = disk_.nodes().find(node);
    require(record.drained == (kept != disk_.nodes().end() && kept->second.drained),
            "node {}: the disk does not agree whether it is drained", node.str());
  }
}

/// What was asked, and what is told of it.
void Oracle::check_words(const Task& task, const dispatcher::store::TaskRecord& kept) {
  const std::string& id = task.id.str();
  // Of one that is past only what is told of its spec is kept.
  const bool same_spec = !task.spec.is_whole()
                             ? task.fetched && task.spec.label() == kept.spec.label() &&
                                   task.spec.tenant() == kept.spec.tenant() &&
                                   task.spec.priority() == kept.spec.priority() &&
                                   task.spec.model() == kept.spec.model()
                             : task.spec == kept.spec;
  require(same_spec && task.digest == kept.digest && task.created_ms == kept.created_ms &&
              task.priority_override == kept.priority_override,
          "{}: something else was asked, says the disk", id);
  ValueMap info = kept.info;
  if (task.fetched && task.status != TaskStatus::kFailed) dispatcher::keep_known_info(info);
  require(dispatcher::told_info(task) == info, "{}: its info is not that on the disk", id);
  // That its node has it is worth no commit.
  require(kept.log.size() <= task.log.size() && (!is_terminal(task.status) || kept.log == task.log),
          "{}: {} entries of its log, {} on the disk", id, task.log.size(), kept.log.size());
  // Entries go from the middle of a long log.
  std::size_t first = std::min(kept.log.size(), limits::kMaxTaskLogEntries / 2);
  for (auto here = task.log.begin(), there = kept.log.begin(); first > 0; ++here, ++there, --first)
    require(*here == *there, "{}: another log on the disk", id);
  for (std::size_t i = 0; i < std::min(task.issued.size(), kept.issued.size()); ++i) {
    const auto &here = task.issued[i], &there = kept.issued[i];
    require(here.number == there.number && here.epoch == there.epoch &&
                here.session == there.session && here.node_id == there.node_id,
            "{}: attempt {} is another on the disk", id, here.number);
  }
}

}  // namespace genai::sim
