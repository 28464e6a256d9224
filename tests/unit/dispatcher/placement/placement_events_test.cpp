// Placement alone: it is told what happens to tasks and nodes, and says which task goes where.
#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher/placement/placement.h"
#include "protocol/wire/codec.h"

using namespace genai;
using namespace genai::dispatcher;

namespace {

SessionId session(unsigned number) {
  SessionId::Bytes bytes{};
  bytes[0] = static_cast<std::uint8_t>(number);
  bytes[15] = 1;
  return SessionId(bytes);
}
NodeId node(unsigned number) { return *NodeId::parse("node-" + std::to_string(number)); }

PublicMetaInfo slots(std::uint32_t count) {
  PublicMetaInfo meta;
  meta.slots = count;
  return meta;
}
PublicMetaInfo with_models(std::vector<std::string> models) {
  PublicMetaInfo meta;
  meta.models = std::move(models);
  return meta;
}
TaskSpec needing(const std::string& model) {
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

}  // namespace

// ---- tasks

TEST_CASE("placing: a task is placed once, again when it comes back, and never after its end") {
  Placing p;
  Task& task = p.accept();
  CHECK(p.place().empty());
  CHECK(p.placement.entry(task) != nullptr);
  p.join(1);
  CHECK(p.place() == Placed{"t1>node-1"});
  CHECK(p.place().empty());
  CHECK(p.record(1).assigned == 1);
  p.requeue(task);
  CHECK(p.place() == Placed{"t1>node-1"});
  p.acknowledge(task);
  p.complete(task);
  CHECK(p.place().empty());
  CHECK(p.placement.entry(task) == nullptr);
  CHECK(p.placement.backlog().empty());
  CHECK(p.provider(1).outstanding() == 0);
  CHECK(p.record(1).completed == 1);
}

TEST_CASE("placing: a task that its node keeps leaves the queue and occupies that node") {
  Placing p;
  p.join(1);
  p.join(2);
  Task &kept = p.accept(), &other = p.accept();
  p.issue(kept, session(1), node(1));  // of an attempt that was given up
  kept.status = TaskStatus::kSent;
  p.tell(task_event::Acknowledged{&kept, session(1), true, false});
  CHECK(p.place() == Placed{"t2>node-2"});
  CHECK(p.provider(1).outstanding() == 1);
  p.complete(kept);
  p.complete(other);
  CHECK(p.provider(1).outstanding() == 0);
}

TEST_CASE("placing: what waits for the report of its node is not placed") {
  Placing p;
  p.join(1);
  p.join(2);
  Task& task = p.restore(true);
  CHECK(p.place().empty());
  SECTION("until it is given up") {
    p.tell(task_event::Reprioritised{&task});
    task.recovering = false;
    task.current = 0;
    p.tell(task_event::Requeued{&task, {}, Cause::kNobody});
    CHECK(p.place().size() == 1);
  }
  SECTION("its node keeps it") {
    task.recovering = false;
    task.status = TaskStatus::kSent;
    p.tell(task_event::Acknowledged{&task, session(1), true, true});
    CHECK(p.provider(1).outstanding() == 1);
    p.complete(task);
  }
  SECTION("a client cancels it") { p.cancel(task); }
  CHECK(p.place().empty());
}

TEST_CASE("placing: a task that only waited before a restart is placed like any other") {
  Placing p;
  p.join(1);
  p.restore(false);
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: a late result frees the node that has the task, and speaks for the other one") {
  Placing p;
  p.join(1);
  p.join(2);
  Task& task = p.accept();
  p.place();
  const SessionId at = Placing::session_of(task);
  const unsigned here = at == session(1) ? 1 : 2, there = 3 - here;
  task.status = TaskStatus::kCompleted;
  task.current = 0;
  p.tell(task_event::Ended{&task, TaskStatus::kScheduled, false, at, session(there), true, 0});
  CHECK(p.provider(here).outstanding() == 0);
  CHECK(p.record(here).completed == 0);
  CHECK(p.record(there).completed == 1);
  CHECK(p.take_changes().second.empty());  // how long it took is not known
}

TEST_CASE("placing: another priority changes the place in the queue") {
  Placing p;
  p.accept();
  Task& urgent = p.accept();
  urgent.priority_override = 9;
  p.tell(task_event::Reprioritised{&urgent});
  p.join(1);
  CHECK(p.place() == Placed{"t2>node-1"});
}

TEST_CASE("placing: tasks go only where the node has their model") {
  Placing p;
  p.accept(needing("sdxl"));
  p.accept(needing("flux"));
  p.join(1, with_models({"flux"}));
  CHECK(p.place() == Placed{"t2>node-1"});
  p.join(2, with_models({"sdxl"}));
  CHECK(p.place() == Placed{"t1>node-2"});
}

// ---- nodes

TEST_CASE("placing: only a node that is online gets work") {
  Placing p;
  p.join(1);
  const auto reach = GENERATE(Reach::kSuspect, Reach::kDraining, Reach::kUnreachable);
  p.reach(1, reach);
  p.accept();
  CHECK(p.place().empty());
  p.reach(1, Reach::kOnline);
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: an operator drains a node, whatever becomes of its sessions") {
  Placing p;
  CHECK(!p.placement.drain(node(1), true, p.now));
  CHECK(!p.placement.has_changes());
  p.join(1);
  REQUIRE(p.placement.drain(node(1), true, p.now));
  CHECK(p.placement.next_commit() <= p.now.mono);  // the operator waits for it
  const auto [nodes, measures] = p.take_changes();
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].id == node(1));
  CHECK(nodes[0].drained);
  CHECK(measures.empty());
  p.accept();
  CHECK(p.place().empty());
  p.tell(task_event::SessionEnded{session(1), 0, Cause::kDrain, false});
  p.take_changes();
  p.join(2, {}, 1);  // the same node again
  CHECK(p.place().empty());
  CHECK(p.placement.drain(node(1), false, p.now));
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: a drain of an earlier process holds") {
  Placing p;
  store::NodeRow row;
  row.id = node(1);
  row.drained = true;
  row.completed = 9;
  p.placement.restore(row);
  CHECK(!p.placement.has_changes());
  p.join(1);
  p.accept();
  CHECK(p.place().empty());
  CHECK(p.record(1).completed == 9);
  CHECK(p.placement.drain(node(1), false, p.now));
  CHECK(p.place().size() == 1);
}

TEST_CASE("placing: aborted attempts occupy their node") {
  PlacementPolicy policy;
  policy.prefetch = 0;
  Placing p(policy);
  p.join(1, slots(2));
  p.tell(task_event::Aborting{session(1), 1});
  p.accept();
  p.accept();
  CHECK(p.place() == Placed{"t1>node-1"});
  p.tell(task_event::Aborting{session(1), 0});
  CHECK(p.place() == Placed{"t2>node-1"});
}

TEST_CASE("placing: a node that refuses is left alone for a moment, and the loop is woken then") {
  Placing p;
  p.join(1);
  Task& task = p.accept();
  p.place();
  p.requeue(task);
  p.behave(1, GENERATE(Conduct::kRefused, Conduct::kFull));
  CHECK(p.place().empty());
  const Duration wake = p.placement.next_deadline();
  REQUIRE(wake > p.now.mono);
  REQUIRE(wake != kNever);
  p.pass(wake - p.now.mono);
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: a node that has failed often rests, and its next session rests on") {
  const auto conduct = GENERATE(Conduct::kError, Conduct::kSlow, Conduct::kDropped);
  Placing p;
  p.join(1);
  for (int i = 0; i < 3; ++i) {
    Task& task = p.accept();
    REQUIRE(p.place().size() == 1);
    p.behave(1, conduct, &task);
    p.cancel(task);
  }
  CHECK(p.record(1).failed == (conduct == Conduct::kError ? 3 : 0));
  CHECK(p.record(1).lost == (conduct == Conduct::kDropped ? 3 : 0));
  CHECK(p.placement.failures(session(1)) == 3);
  p.accept();
  CHECK(p.place().empty());
  p.tell(task_event::SessionEnded{session(1), 0, Cause::kNobody, false});
  p.join(2, {}, 1);
  CHECK(p.place().empty());
  const Duration wake = p.placement.next_deadline();
  REQUIRE(wake != kNever);
  p.pass(wake - p.now.mono);
  CHECK(p.place() == Placed{"t4>node-1"});
}

TEST_CASE("placing: an error that the task would have anywhere is no failure of the node") {
  Placing p;
  p.join(1);
  for (int i = 0; i < 10; ++i) {
    Task& task = p.accept();
    REQUIRE(p.place().size() == 1);
    p.behave(1, Conduct::kImpossible, &task);
    p.cancel(task);
  }
  CHECK(p.record(1).failed == 10);
  CHECK(p.placement.failures(session(1)) == 0);
}

TEST_CASE("placing: a node that can run nothing is told of once, and is tried when it says hello") {
  Placing p;
  p.join(1);
  p.behave(1, Conduct::kUnfit, nullptr, "no GPU");
  CHECK(p.notes.size() == 1);
  p.behave(1, Conduct::kUnfit, nullptr, "no GPU");
  CHECK(p.notes.empty());
  p.accept();
  CHECK(p.place().empty());
  CHECK_THAT(p.provider(1).trouble(), Catch::Contains("no GPU"));
  p.tell(fleet_event::Joined{session(1), node(1), {}, false});  // its broker lists it
  CHECK(p.place().empty());
  p.tell(fleet_event::Joined{session(1), node(1), {}, true});
  CHECK(p.provider(1).trouble().empty());
  CHECK(p.place() == Placed{"t1>node-1"});
}

TEST_CASE("placing: a session that ends is forgotten, and its attempts are counted as lost") {
  Placing p;
  p.join(1, slots(2));
  Task &a = p.accept(), &b = p.accept();
  p.place();
  p.requeue(a, Cause::kLoss);
  p.requeue(b, Cause::kLoss);
  p.tell(task_event::SessionEnded{session(1), 2, Cause::kLoss, true});
  CHECK(p.placement.providers().size() == 0);
  CHECK(p.record(1).lost == 2);
  CHECK(p.place().empty());
  p.join(1, slots(2));
  CHECK(p.placement.failures(session(1)) == 1);
}

// ---- errors

TEST_CASE("placing: after its first error a task goes at once to a node that has not had it") {
  Placing p;
  p.join(1);
  p.join(2);
  Task& task = p.accept();
  p.place();
  const NodeId first = task.attempt(1)->node_id;
  p.acknowledge(task);
  p.requeue(task, Cause::kFault);
  REQUIRE(p.place().size() == 1);
  CHECK(task.attempt(2)->node_id != first);
}

TEST_CASE("placing: after an error a task is held back, longer with each one") {
  Placing p;
  p.join(1);
  Task& task = p.accept();
  Duration longest{0};
  for (int i = 1; i <= 4; ++i) {
    INFO("error " << i);
    REQUIRE(p.place().size() == 1);
    p.acknowledge(task);
    p.requeue(task, Cause::kFault);
    CHECK(p.place().empty());
    const Duration until = p.placement.next_release();
    REQUIRE(until != kNever);
    const Duration wait = until - p.now.mono;
    CHECK(wait > longest);
    longest = wait;
    p.pass(wait - from_ms(1));
    CHECK(p.place().empty());
    p.pass(from_ms(1));
  }
  CHECK(p.place().size() == 1);
  CHECK(p.placement.next_release() == kNever);
}

TEST_CASE("placing: a task is held back for at most half of the time that it has left") {
  Placing p;
  p.join(1);
  TaskSpec spec;
  spec.ttl_ms = 1'000;
  Task& task = p.accept(spec);
  p.place();
  p.acknowledge(task);
  p.pass(from_ms(600));
  p.requeue(task, Cause::kFault);
  CHECK(p.placement.next_release() <= p.now.mono + from_ms(200));
  p.pass(from_ms(200));
  CHECK(p.place().size() == 1);
}

TEST_CASE("placing: a task whose attempt is nobody's fault is not held back") {
  const auto cause = GENERATE(Cause::kLoss, Cause::kDrain, Cause::kNobody);
  Placing p;
  p.join(1);
  Task& task = p.accept();
  p.place();
  p.requeue(task, cause);
  CHECK(p.place().size() == 1);
}

TEST_CASE("placing: a task is not placed before its time") {
  Placing p;
  p.join(1);
  TaskSpec spec;
  spec.start_in_ms = 5'000;
  p.accept(spec);
  CHECK(p.place().empty());
  CHECK(p.placement.next_release() == p.now.mono + from_ms(5'000));
  p.pass(from_ms(5'000));
  CHECK(p.place().size() == 1);
}

// ---- what is stored

TEST_CASE("placing: what was measured is written after a while, each node once") {
  Placing p;
  p.join(1, with_models({"sdxl"}));
  for (int i = 0; i < 3; ++i) {
    Task& task = p.accept(needing("sdxl"));
    p.place();
    p.run(task, from_ms(2'000));
  }
  CHECK(p.placement.has_changes());
  CHECK(p.placement.next_commit() != kNever);
  CHECK(p.placement.next_commit() > Duration{0});
  const auto [nodes, measures] = p.take_changes();
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].id == node(1));
  CHECK(nodes[0].assigned == 3);
  CHECK(nodes[0].completed == 3);
  CHECK(nodes[0].failed + nodes[0].lost == 0);
  REQUIRE(measures.size() == 1);
  CHECK(measures[0].node == node(1));
  CHECK(measures[0].model == "sdxl");
  CHECK(measures[0].runs == 3);
  CHECK(measures[0].good > 0);
  CHECK(measures[0].bad == 0);
  CHECK(p.take_changes().first.empty());
}

TEST_CASE("placing: the time of loading is measured apart from that of running") {
  Placing p;
  p.join(1, with_models({"sdxl"}));
  Task& task = p.accept(needing("sdxl"));
  p.place();
  p.acknowledge(task);
  p.pass(from_ms(10'000));
  p.complete(task, 8'000);
  CHECK(p.placement.run_s(needing("sdxl")).value() == Approx(2));
  CHECK(!p.placement.run_s(needing("flux")));
  const auto measures = p.take_changes().second;
  REQUIRE(measures.size() == 1);
  CHECK(measures[0].loads == 1);
}

TEST_CASE("placing: a model that only ever failed is written too") {
  Placing p;
  p.join(1, with_models({"sdxl"}));
  Task& task = p.accept(needing("sdxl"));
  p.place();
  p.behave(1, Conduct::kError, &task);
  const auto [nodes, measures] = p.take_changes();
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].failed == 1);
  REQUIRE(measures.size() == 1);
  CHECK(measures[0].model == "sdxl");
  CHECK(measures[0].runs == 0);
  CHECK(measures[0].bad > 0);
}

TEST_CASE("placing: what is written is taken up again by the next process") {
  Placing before;
  before.join(1, with_models({"sdxl", "flux"}));
  for (const char* model : {"sdxl", "flux", "sdxl"}) {
    Task& task = before.accept(needing(model));
    before.place();
    before.run(task, from_ms(model == std::string("flux") ? 9'000 : 2'000));
  }
  const auto [nodes, measures] = before.take_changes();
  Placing after;
  for (const store::NodeRow& row : nodes) after.placement.restore(row);
  after.placement.restore(measures);
  CHECK(!after.placement.has_changes());
  for (const char* model : {"sdxl", "flux"})
    CHECK(after.placement.run_s(needing(model)).value() ==
          Approx(before.placement.run_s(needing(model)).value()));
  CHECK(after.record(1).completed == 3);
}

TEST_CASE("placing: without a store nothing is kept for it") {
  Placing p({}, false);
  p.join(1);
  Task& task = p.accept();
  p.place();
  p.run(task, from_ms(1'000));
  CHECK(p.placement.drain(node(1), true, p.now));
  CHECK(!p.placement.has_changes());
  CHECK(p.placement.next_commit() == kNever);
}

// ---- what others ask

TEST_CASE("placing: a tenant that has its share waits, whoever is free") {
  PlacementPolicy policy;
  policy.quotas["acme"].max_running = 1;
  policy.quotas["acme"].max_queued = 3;
  Placing p(policy);
  p.join(1, slots(4));
  TaskSpec of_acme;
  of_acme.tenant = "acme";
  Task& first = p.accept(of_acme);
  p.accept(of_acme);
  p.accept();
  CHECK(p.place() == Placed{"t1>node-1", "t3>node-1"});
  CHECK(!p.placement.no_room_for(of_acme, 10));
  p.complete(first);
  CHECK(p.place() == Placed{"t2>node-1"});
  for (int i = 0; i < 3; ++i) p.accept(of_acme);
  const auto error = p.placement.no_room_for(of_acme, 10);
  REQUIRE(error);
  CHECK(error->code == ErrorCode::kOverQuota);
  CHECK(!p.placement.no_room_for({}, 10));
}

TEST_CASE("placing: a kind of task is new until one like it is there") {
  Placing p;
  CHECK(p.placement.is_new_kind(needing("sdxl")));
  p.accept(needing("sdxl"));
  CHECK(!p.placement.is_new_kind(needing("sdxl")));
  CHECK(p.placement.is_new_kind(needing("flux")));
}

TEST_CASE("placing: what does not fit is explained, and what is measured is promised") {
  Placing p;
  Task& task = p.accept(needing("sdxl"));
  CHECK_THAT(p.placement.misfits(task, p.now), Catch::Contains("no provider is connected"));
  p.join(1, with_models({"flux"}));
  p.pass(from_ms(60'000));
  CHECK_THAT(p.placement.misfits(task, p.now), Catch::Contains("model 'sdxl'"));
  CHECK(p.placement.estimate(task, p.now) == msg::Estimate{});
  p.join(2, with_models({"sdxl"}));
  CHECK(p.placement.misfits(task, p.now).empty());
  p.place();
  p.run(task, from_ms(4'000));
  Task& next = p.accept(needing("sdxl"));
  const msg::Estimate estimate = p.placement.promise(next, p.now);
  CHECK(estimate.finish_p50_ms > 0);
  CHECK(estimate.finish_p50_ms <= estimate.finish_p95_ms);
  const auto candidates = p.placement.candidates(next, 8, p.now);
  REQUIRE(candidates.size() == 1);
  CHECK(candidates[0].provider->node_id == node(2));
  CHECK(candidates[0].obstacle.empty());
}
