// Placement alone: it is told what happens to tasks and nodes, and says which task goes where.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher/placement/placement.h"
#include "protocol/wire/codec.h"
#include "tests/unit/dispatcher/numbers.h"

namespace genai::dispatcher::test {

inline PublicMetaInfo slots(std::uint32_t count) {
  PublicMetaInfo meta;
  meta.slots = count;
  return meta;
}
inline PublicMetaInfo with_models(std::vector<std::string> models) {
  PublicMetaInfo meta;
  meta.models = std::move(models);
  return meta;
}
inline TaskSpec needing(const std::string& model) {
  TaskSpec spec;
  spec.needs.model = model;
  return spec;
}

/// "t1>node-2" for each that was placed, in order.
using Placed = std::vector<std::string>;

/// Session n is of node n, unless the test says otherwise.
struct Placing {
  PlacementPolicy policy;
  Metrics metrics;
  Placement placement;
  Now now{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  std::deque<Task> tasks;
  std::vector<LogEvent> notes;

  explicit Placing(PlacementPolicy p = {}, bool durable = true)
      : policy(std::move(p)), placement(policy, durable, metrics) {}

  void pass(Duration span) {
    now.mono += span;
    now.wall += span;
  }
  template <class Event>
  void tell(const Event& event) {
    placement.handle(event, now);
    placement.take_events(notes);
    placement.check();
  }

  // ---- nodes
  void join(unsigned number, const PublicMetaInfo& meta = {}, unsigned of = 0) {
    tell(fleet_event::Joined{session(number), node(of ? of : number), meta, true});
    reach(number, Reach::kOnline);
  }
  void reach(unsigned number, Reach reach) {
    tell(fleet_event::ReachChanged{session(number), reach});
  }
  void behave(unsigned number, Conduct conduct, const Task* task = nullptr,
              const std::string& said = {}) {
    tell(task_event::Behaved{session(number), conduct, task, said});
  }
  const Provider& provider(unsigned number) const {
    return *placement.providers().sessions().at(session(number));
  }
  const NodeRecord& record(unsigned number) const {
    return placement.providers().records().at(node(number));
  }

  // ---- tasks
  Task& make(TaskSpec& spec) {
    Task& task = tasks.emplace_back();
    task.handle = static_cast<TaskHandle>(tasks.size() - 1);
    task.sequence = tasks.size();
    task.id = *TaskId::parse("t" + std::to_string(tasks.size()));
    spec = make_spec(std::move(spec), {});
    TaskSpec kept = spec;
    task.spec = KeptSpec(kept);
    task.created_ms = to_ms(now.wall);
    task.accepted_at = now.mono;
    task.expires_at = now.mono + from_ms(spec.ttl_ms);
    return task;
  }
  Task& accept(TaskSpec spec = {}) {
    Task& task = make(spec);
    tell(task_event::Accepted{&task, &spec});
    return task;
  }
  /// A task of an earlier process; recovering: its node may report it.
  Task& restore(bool recovering) {
    TaskSpec spec;
    Task& task = make(spec);
    if (recovering) {
      issue(task, session(1), node(1));
      task.recovering = true;
    }
    placement.restore(task, now);
    placement.check();
    return task;
  }
  static void issue(Task& task, const SessionId& to, const NodeId& of) {
    task.current = static_cast<std::uint32_t>(task.issued.size() + 1);
    task.issued.push_back({task.current, 7, to, of});
  }
  /// One pass of the loop.
  Placed place() {
    Placed placed;
    placement.expire(now);
    placement.release(now);
    placement.start();
    while (const auto choice = placement.next(now)) {
      CHECK(!choice->reason.empty());
      Task& task = tasks.at(choice->task);
      const Provider& to = *placement.providers().sessions().at(choice->session);
      issue(task, choice->session, to.node_id);
      task.status = TaskStatus::kScheduled;
      tell(task_event::Assigned{&task, choice->session});
      placed.push_back(task.id.str() + ">" + to.node_id.str());
    }
    return placed;
  }
  /// Node 1 has joined, and has been assigned the task.
  Task& assigned() {
    join(1);
    Task& task = accept();
    place();
    return task;
  }
  void acknowledge(Task& task) {
    task.status = TaskStatus::kSent;
    tell(task_event::Acknowledged{&task, session_of(task), false, false});
  }
  static SessionId session_of(const Task& task) { return task.attempt(task.current)->session; }
  void requeue(Task& task, Cause cause = Cause::kNobody) {
    const SessionId from = session_of(task);
    if (cause == Cause::kFault) ++task.faults;
    task.attempt(task.current)->failed = cause != Cause::kNobody;
    task.status = TaskStatus::kUnscheduled;
    task.current = 0;
    tell(task_event::Requeued{&task, from, cause});
  }
  void complete(Task& task, std::uint64_t load_ms = 0) {
    const TaskStatus was = std::exchange(task.status, TaskStatus::kCompleted);
    const SessionId at = session_of(task);
    task.current = 0;
    tell(task_event::Ended{&task, was, false, at, at, false, load_ms});
  }
  void cancel(Task& task) {
    const TaskStatus was = std::exchange(task.status, TaskStatus::kAborted);
    const SessionId from = was == TaskStatus::kUnscheduled ? SessionId{} : session_of(task);
    const bool recovering = std::exchange(task.recovering, false);
    task.current = 0;
    tell(task_event::Ended{&task, was, recovering, from, {}, false, 0});
  }
  void run(Task& task, Duration span) {
    acknowledge(task);
    pass(span);
    complete(task);
  }
  std::pair<std::vector<store::NodeRow>, std::vector<store::MeasureRow>> take_changes() {
    std::pair<std::vector<store::NodeRow>, std::vector<store::MeasureRow>> rows;
    placement.take_changes(rows.first, rows.second);
    CHECK(!placement.has_changes());
    CHECK(placement.next_commit() == kNever);
    return rows;
  }
};

}  // namespace genai::dispatcher::test
