// The parts that place tasks, without a core around them: nodes and tasks are set up by the test,
// which also carries out what the scheduler decides.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher/placement/backlog.h"
#include "dispatcher/placement/providers.h"
#include "dispatcher/placement/scheduler.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher::test {

struct Fleet {
  PlacementPolicy config;
  Measures measures{false};
  Tenants tenants;
  Backlog backlog;
  Providers providers;
  Scheduler scheduler;
  Now now{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  std::deque<TaskRecord> records;
  std::deque<QueueEntry> tasks;  // all there ever were; their handle is their place
  unsigned sessions = 0;

  explicit Fleet(PlacementPolicy c = {})
      : config(std::move(c)),
        tenants(config.quotas),
        backlog(config, measures, tenants),
        providers(config, measures),
        scheduler(measures, backlog, providers) {}

  void pass(double s) {
    const auto by = Duration(static_cast<std::int64_t>(s * 1e6));
    now.mono += by;
    now.wall += by;
  }

  // ---- nodes ----
  Provider& join(const std::string& node, const PublicMetaInfo& meta) {
    SessionId::Bytes session{};
    ++sessions;
    session[0] = static_cast<std::uint8_t>(sessions);
    session[1] = static_cast<std::uint8_t>(sessions >> 8);
    Provider& provider = providers.add(SessionId(session), *NodeId::parse(node), now);
    providers.set_meta(provider, meta, now.mono);
    return provider;
  }
  void set_reach(Provider& provider, Reach reach) {
    provider.reach = reach;
    providers.reindex(provider, now.mono);
  }
  void leave(Provider& provider) {
    const std::vector<QueueEntry*> held = provider.tasks;
    for (QueueEntry* task : held) requeue(*task, true);
    providers.remove(provider);
  }
  /// As if it had run such a task earlier.
  void ran(Provider& provider, const std::string& model, double run_s, double load_s = 0,
           double work = 0) {
    measures.ran(provider.record->measured, measures.model(model), size_class(work), run_s, load_s,
                 to_ms(now.wall));
    providers.reindex(provider, now.mono);
  }

  // ---- tasks ----
  QueueEntry& add(TaskSpec spec = {}) {
    TaskRecord& record = records.emplace_back();
    record.sequence = records.size();
    record.created_ms = to_ms(now.wall);
    spec = make_spec(std::move(spec), {});
    record.spec = KeptSpec(spec);
    QueueEntry& task = tasks.emplace_back();
    task.handle = static_cast<TaskHandle>(tasks.size() - 1);
    backlog.enroll(task, record, spec, Duration{0}, now);  // long ago
    backlog.add(task, now.mono);
    return task;
  }
  TaskRecord& record_of(const QueueEntry& task) { return records[task.handle]; }
  /// As Dispatcher::assign does.
  void place(QueueEntry& task, Provider& provider) {
    backlog.remove(task);
    const auto number = static_cast<std::uint32_t>(task.record->issued.size() + 1);
    record_of(task).issued.push_back({number, 1, provider.session, provider.node_id});
    record_of(task).current = number;
    record_of(task).status = TaskStatus::kSent;
    providers.give(provider, task, now.mono);
    backlog.placed(task);
  }
  Provider& provider_of(const QueueEntry& task) {
    return *providers.find(task.record->attempt(task.record->current)->session);
  }
  Provider& take(QueueEntry& task) {
    Provider& provider = provider_of(task);
    const bool begun = task.begun_at != Duration{0};
    providers.take(provider, task, now.mono);
    backlog.unplaced(task, begun ? seconds(now.mono - task.begun_at) : 0);
    return provider;
  }
  void requeue(QueueEntry& task, bool failed) {
    record_of(task).attempt(task.record->current)->failed = failed;
    take(task);
    record_of(task).status = TaskStatus::kUnscheduled;
    backlog.add(task, now.mono);
  }
  void complete(QueueEntry& task, double load_s = 0) {
    Provider& provider = provider_of(task);
    if (task.begun_at != Duration{0})
      measures.ran(provider.record->measured, task.group->model, task.group->key.size,
                   seconds(now.mono - task.begun_at) - load_s, load_s, to_ms(now.wall));
    take(task);
    record_of(task).status = TaskStatus::kCompleted;
    backlog.forget(task);
    providers.count_success(provider, now.mono);
  }
  void fail(QueueEntry& task) {
    Provider& provider = provider_of(task);
    measures.failed(provider.record->measured, task.group->model, false, to_ms(now.wall));
    requeue(task, true);
    providers.count_failure(provider, now.mono);
  }

  void check_invariants() const {
    backlog.check_invariants();
    providers.check_invariants();
    for (const TaskClass* group : backlog.active()) group->ranking.check_invariants(providers);
  }
};

}  // namespace genai::dispatcher::test
