// Taking up what an earlier process left.
#include <algorithm>
#include <utility>

#include "dispatcher/core.h"
#include "dispatcher/tasks/task_times.h"

namespace genai::dispatcher {
namespace {

/// Wall time as this process's mono time; what seems to lie in the future (the clock was set back)
/// happened just now.
Duration mono_of(std::uint64_t unix_ms, const Now& now) {
  return now.mono - std::max(now.wall - from_ms(unix_ms), Duration{0});
}

std::unique_ptr<Task> to_task(store::TaskRecord record, const Now& now) {
  auto task = std::make_unique<Task>();
  task->id = std::move(record.id);
  task->spec = std::move(record.spec);
  task->payload = std::move(record.payload);
  task->digest = record.digest;
  task->sequence = record.sequence;
  task->status = record.status;
  task->issued = std::move(record.issued);
  task->current = record.current;
  task->faults = record.faults;
  task->losses = record.losses;
  task->drains = record.drains;
  task->priority_override = record.priority;
  task->accepted_at = mono_of(record.created_ms, now);
  task->created_ms = record.created_ms;
  task->code = record.code;
  task->info = std::move(record.info);
  task->result = std::move(record.result);
  if (record.ended_ms) task->ended_at = mono_of(record.ended_ms, now);
  task->fetched = record.fetched;
  task->fetched_at = now.mono;
  task->log = std::move(record.log);
  return task;
}

}  // namespace

void Core::restore(store::Loaded loaded, const Now& now) {
  for (const store::NodeRow& row : loaded.nodes) restore(row);
  restore(loaded.measures);
  for (store::TaskRecord& record : loaded.tasks) {
    auto owned = to_task(std::move(record), now);
    const bool was_assigned = !is_terminal(owned->status) && owned->current != 0;
    if (was_assigned) {
      owned->status = TaskStatus::kUnscheduled;
      owned->recovering = true;
    }
    set_deadlines(*owned, now);
    Task& task = tasks_.restore(std::move(owned));
    sequence_ = std::max(sequence_, task.sequence);
    if (is_terminal(task.status)) {
      archive_.add(task);
      if (task.fetched) tasks_.settle(task);
      continue;
    }
    backlog_.enroll(task, now);
    if (was_assigned) {
      recovering_.emplace(task.sequence, &task);
      const IssuedAttempt& attempt = *task.attempt(task.current);
      tasks_.annotate(task, "the dispatcher was restarted: waiting for its node to report", now,
                      attempt.node_id, attempt.number);
    } else {
      backlog_.add(task, now.mono);
    }
  }
}

void Core::restore(const store::NodeRow& row) {
  NodeRecord& record = providers_.record(row.id);
  record.drained = row.drained;
  record.assigned = row.assigned;
  record.completed = row.completed;
  record.failed = row.failed;
  record.lost = row.lost;
}

void Core::restore(const std::vector<store::MeasureRow>& rows) {
  for (auto row = rows.begin(); row != rows.end();) {
    const store::MeasureRow& first = *row;
    ModelAccount account;
    account.model = measures_.model(first.model);
    account.load = {first.loads, first.load_mean, first.load_variance};
    account.good = first.good;
    account.bad = first.bad;
    account.lost = first.lost;
    account.updated_ms = first.updated_ms;
    for (; row != rows.end() && row->node == first.node && row->model == first.model; ++row)
      account.sizes.push_back({row->size, {row->runs, row->run_mean, row->run_variance}});
    measures_.restore(providers_.record(first.node).measured, std::move(account));
  }
  for (const store::MeasureRow& row : rows) measures_.compare(providers_.record(row.node).measured);
}

store::NodeRow Core::row_of(const NodeId& node) {
  const NodeRecord& record = providers_.record(node);
  return {node, record.drained, record.assigned, record.completed, record.failed, record.lost};
}

/// What is measured matters only in the long run: it is written every few seconds.
void Core::save_later(Provider& provider, const Now& now) {
  constexpr Duration kSaveTime = from_ms(5000);
  if (!config_.durable || std::exchange(provider.record->unsaved, true)) return;
  unsaved_nodes_.push_back(provider.node_id);
  if (measures_due_ == kNever) measures_due_ = now.mono + kSaveTime;
}

store::Batch Core::take_changes(const Now& now, bool all) {
  store::Batch batch = journal_.take(now);
  tasks_.compact();
  if (measures_due_ <= now.mono || all) add_measures(batch);
  return batch;
}

void Core::add_measures(store::Batch& batch) {
  for (const NodeId& node : unsaved_nodes_) {
    if (!providers_.knows(node)) continue;  // forgotten meanwhile
    NodeRecord& record = providers_.record(node);
    record.unsaved = false;
    batch.nodes.push_back(row_of(node));
    for (ModelAccount& account : record.measured.models) {
      if (!std::exchange(account.unsaved, false)) continue;
      // A model that only ever failed has no run of any size.
      auto sizes = account.sizes;
      if (sizes.empty()) sizes.push_back({});
      for (const auto& [size, run] : sizes)
        batch.measures.push_back({node, measures_.name(account.model), size, run.weight, run.mean,
                                  run.variance, account.load.weight, account.load.mean,
                                  account.load.variance, account.good, account.bad, account.lost,
                                  account.updated_ms});
    }
  }
  unsaved_nodes_.clear();
  measures_due_ = kNever;
}

/// Who has not reported by now is gone. Nobody is blamed: whether the task was being executed is
/// not known.
void Core::end_recovery(const Now& now) {
  recovery_ends_ = kNever;
  for (const auto& [sequence, task] : std::exchange(recovering_, {})) {
    task->recovering = false;
    const IssuedAttempt& attempt = *task->attempt(task->current);
    tasks_.annotate(*task, "its node did not report it after the restart", now, attempt.node_id,
                    attempt.number);
    ++requeued_total_;
    backlog_.add(*task, now.mono);
    notify(*task);
  }
}

}  // namespace genai::dispatcher
