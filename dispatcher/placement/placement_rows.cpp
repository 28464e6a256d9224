// What placement has stored of nodes, and takes up again.
#include <utility>

#include "dispatcher/placement/placement.h"

namespace genai::dispatcher {

void Placement::restore(const store::NodeRow& row) {
  NodeRecord& record = providers_.record(row.id);
  record.drained = row.drained;
  record.assigned = row.assigned;
  record.completed = row.completed;
  record.failed = row.failed;
  record.lost = row.lost;
}

void Placement::restore(const std::vector<store::MeasureRow>& rows) {
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

store::NodeRow Placement::row_of(const NodeId& node) {
  const NodeRecord& record = providers_.record(node);
  return {node, record.drained, record.assigned, record.completed, record.failed, record.lost};
}

void Placement::save_later(Provider& provider, Duration at) {
  if (!durable_ || std::exchange(provider.record->unsaved, true)) return;
  unsaved_nodes_.push_back(provider.node_id);
  if (unsaved_due_ == kNever) unsaved_due_ = at;
}

void Placement::take_changes(std::vector<store::NodeRow>& nodes,
                             std::vector<store::MeasureRow>& measures) {
  for (const NodeId& node : unsaved_nodes_) {
    if (!providers_.knows(node)) continue;  // forgotten meanwhile
    NodeRecord& record = providers_.record(node);
    record.unsaved = false;
    nodes.push_back(row_of(node));
    for (ModelAccount& account : record.measured.models) {
      if (!std::exchange(account.unsaved, false)) continue;
      // A model that only ever failed has no run of any size.
      auto sizes = account.sizes;
      if (sizes.empty()) sizes.push_back({});
      for (const auto& [size, run] : sizes)
        measures.push_back({node, measures_.name(account.model), size, run.weight, run.mean,
                            run.variance, account.load.weight, account.load.mean,
                            account.load.variance, account.good, account.bad, account.lost,
                            account.updated_ms});
    }
  }
  unsaved_nodes_.clear();
  unsaved_due_ = kNever;
}

}  // namespace genai::dispatcher
