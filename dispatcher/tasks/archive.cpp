#include "dispatcher/tasks/archive.h"

#include <algorithm>

#include "dispatcher/tasks/result_info.h"
#include "protocol/base/text.h"

namespace genai::dispatcher {
namespace {

// A result of no bytes still costs its task's record: without this, failures nobody fetches would
// not count against any limit.
constexpr std::size_t kRecordBytes = 1024;

}  // namespace

Archive::Archive(const Retention& limits, TaskTable& tasks, Changes& changes, Metrics& metrics)
    : limits_(limits),
      tasks_(tasks),
      changes_(changes),
      delivered_total_(
          metrics.counter("delivered_total", "Results that a client has acknowledged.")),
      dropped_results_total_(metrics.counter(
          "dropped_results_total", "Results dropped since nobody fetched them in time.")) {
  metrics.gauge("result_bytes", "Results that wait for their clients.",
                [this] { return Value(std::uint64_t{with_result_.bytes}); });
  metrics.gauge("result_memory_bytes", "The part of result_bytes that is in memory.",
                [this] { return Value(std::uint64_t{with_result_.memory}); });
  metrics.gauge("max_result_bytes", "Waiting results, at most.",
                [this] { return Value(std::uint64_t{limits_.max_result_bytes}); });
  metrics.gauge("failed_bytes", "Payloads and specs of Failed tasks.",
                [this] { return Value(std::uint64_t{failed_.bytes}); });
}

std::size_t Archive::memory_of(const Task& task) {
  return task.data_memory() + task.spec.raw().size() + dispatcher::memory_of(task.info) +
         task.log.bytes() + task.issued.size() * sizeof(IssuedAttempt) + kRecordBytes;
}

// To each order the end is where to look first: what ends now is the last of it.

void Archive::enter_history(Task& task) {
  keep_known_info(task.info);
  histories_.emplace_hint(histories_.end(), Key{task.fetched_at, task.sequence}, task.handle);
}

void Archive::enter(Order& order, Task& task) {
  const std::size_t memory = memory_of(task);
  const std::size_t apart = task.payload.size() + task.result.size() - task.data_memory();
  order.emplace_hint(order.end(), key(task), Kept{&task, memory + apart, memory});
  order.bytes += memory + apart;
  order.memory += memory;
}

bool Archive::leave(Order& order, const Task& task) {
  const auto it = order.find(key(task));
  if (it == order.end()) return false;
  order.bytes -= it->second.bytes;
  order.memory -= it->second.memory;
  order.erase(it);
  return true;
}

void Archive::add(Task& task) {
  if (task.status == TaskStatus::kFailed) return enter(failed_, task);
  if (task.fetched) return enter_history(task);
  enter(with_result_, task);
}

void Archive::moved_apart(Task& task) {
  for (Order* order : {&with_result_, &failed_})
    if (leave(*order, task)) enter(*order, task);
}

void Archive::fetched(Task& task, Duration now) {
  if (!task.fetched) ++delivered_total_;
  drop_result(task, now);
}

void Archive::drop_result(Task& task, Duration now) {
  if (task.status == TaskStatus::kFailed) {
    task.fetched = true;
  } else if (leave(with_result_, task)) {
    task.result = {};
    task.fetched = true;
    task.fetched_at = now;
    enter_history(task);
  }
  changes_.note_lazily(task, now);
}

/// Nobody has fetched it. That must not read as if somebody had.
void Archive::drop_unfetched(Task& task, const std::string& why, Duration now) {
  if (task.status == TaskStatus::kCompleted) {
    ++dropped_results_total_;
    events_.emplace_back(
        LogEvent{LogEvent::Level::kWarn, "result dropped: " + why, {{"task_id", task.id.str()}}});
    task.info["error"] = "the result was dropped: " + why;
    task.info[std::string(kResultDropped)] = true;
  }
  drop_result(task, now);
  events_.emplace_back(ResultDropped{&task});
}

void Archive::lose_result(Task& task, const std::string& why, Duration now) {
  if (!task.fetched) drop_unfetched(task, clip_text("it cannot be read: " + why), now);
}

void Archive::purge(const Task& task) {
  remove(tasks_.at(task.handle));
  events_.emplace_back(Forgotten{task.handle, true});
}

void Archive::forget(const Forgotten& event, Duration now) {
  tasks_.erase(event.task, event.at_once, now);
}

void Archive::expire(Duration now) {
  while (Task* task = overdue_result(now))
    drop_unfetched(*task, "nobody fetched it within the retention limits", now);
  while (Task* task = overdue_failed(now)) {
    events_.emplace_back(
        LogEvent{LogEvent::Level::kWarn,
                 "failed task forgotten: nobody replayed or purged it within the retention limits",
                 {{"task_id", task->id.str()}}});
    remove(tasks_.at(task->handle));
    events_.emplace_back(Forgotten{task->handle, false});
  }
  while (has_overdue_history(now)) {
    const TaskHandle task = histories_.begin()->second;
    histories_.erase(histories_.begin());
    events_.emplace_back(Forgotten{task, false});
  }
}

Task* Archive::overdue_result(Duration now) const {
  const bool is_old = ends(with_result_, limits_.result_retention) <= now;
  const bool is_over = !with_result_.empty() && (with_result_.bytes > limits_.max_result_bytes ||
                                                 with_result_.memory > limits_.max_result_memory);
  return is_old || is_over ? with_result_.begin()->second.task : nullptr;
}

bool Archive::has_overdue_history(Duration now) const {
  return ends(histories_, limits_.history_retention) <= now ||
         histories_.size() > limits_.max_history;
}

Task* Archive::overdue_failed(Duration now) const {
  const bool is_old = ends(failed_, limits_.failed_retention) <= now;
  const bool is_over = !failed_.empty() && failed_.bytes > limits_.max_failed_bytes;
  return is_old || is_over ? failed_.begin()->second.task : nullptr;
}

void Archive::remove(const Known& known) {
  if (const Task* const task = known.present()) {
    leave(failed_, *task);
    leave(with_result_, *task);
    histories_.erase({task->fetched_at, task->sequence});
  } else {
    histories_.erase({known.past().fetched_at(), known.past().sequence()});
  }
}

Duration Archive::next_deadline() const {
  return std::min({ends(with_result_, limits_.result_retention),
                   ends(histories_, limits_.history_retention),
                   ends(failed_, limits_.failed_retention)});
}

}  // namespace genai::dispatcher
