// Taking up what an earlier process left.
#include <algorithm>
#include <utility>

#include "dispatcher/core.h"

namespace genai::dispatcher {

void Core::restore(store::Page loaded, const Now& now) {
  for (const store::NodeRow& row : loaded.nodes) restore(row);
  restore(loaded.measures);
  for (TaskRecord& record : loaded.tasks) {
    Task& task = tasks_.restore(std::move(record), now);
    sequence_ = std::max(sequence_, task.sequence);
    if (is_terminal(task.status)) {
      archive_.add(task);
      if (task.fetched) tasks_.settle(task);
      continue;
    }
    enroll(task, task.spec.whole(), now);
    if (task.recovering)
      recovering_.emplace(task.sequence, &task);
    else
      backlog_.add(*task.entry, now.mono);
  }
  tasks_.compact();  // or a long history would stand here at its full size until the last page
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
  store::Batch batch = journal_.take();
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
    tasks_.give_up(*task, now);
    ++requeued_total_;
    backlog_.add(*task->entry, now.mono);
    notify(*task);
  }
}

}  // namespace genai::dispatcher
