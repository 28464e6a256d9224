// What the desk tells of tasks, nodes and the dispatcher itself: the open maps of TASKS, NODE_LIST
// and STATS_REPLY.
#pragma once

#include <map>
#include <string>

#include "dispatcher/fleet/membership.h"
#include "dispatcher/placement/placement.h"
#include "dispatcher/store/report.h"
#include "dispatcher/tasks/task_table.h"
#include "protocol/base/metrics.h"

namespace genai::dispatcher {

/// Why tasks with these needs wait, worked out once for all tasks of one reply or one tick.
using Explanations = std::map<const TaskClass*, std::string>;

/// What a node says of the attempt that it runs.
struct Progress {
  double fraction = 0;
  std::string text;
};

/// Keys as SPEC.md lists them. Not thread-safe. Pure.
class Reports {
 public:
  Reports(const Now& started, const TaskTable& tasks, Placement& placement, const Membership& fleet,
          const Metrics& metrics)
      : started_(started.mono),
        tasks_(tasks),
        placement_(placement),
        fleet_(fleet),
        metrics_(metrics) {}

  /// `progress`: null if there is none.
  ValueMap task(const Task& task, const Progress* progress, bool with_log, const Now& now,
                Explanations& explanations);
  ValueMap node(const Provider& provider, bool measured, const Now& now) const;
  ValueMap stats(const StoreReport& store, bool is_draining, const Now& now) const;
  /// Why an Unscheduled task waits.
  std::string explain(const Task& task, Explanations& explanations, const Now& now);

 private:
  void add_outlook(ValueMap& map, const Task& task, const Now& now);
  ValueList candidates_of(const Task& task, const Now& now);
  ValueList measured_of(const Provider& provider) const;
  ValueList tenants() const;

  const Duration started_;
  const TaskTable& tasks_;
  Placement& placement_;
  const Membership& fleet_;
  const Metrics& metrics_;
};

}  // namespace genai::dispatcher
