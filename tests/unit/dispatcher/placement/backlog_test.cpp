// The order of what waits: within a tenant by priority and age, between tenants by what they used.
#include "dispatcher/placement/backlog.h"

#include <catch2/catch.hpp>
#include <deque>

#include "tests/unit/dispatcher/fleet.h"

using namespace genai;
using namespace genai::dispatcher;

namespace {

struct Queue {
  PlacementPolicy config;
  Measures measures{false};
  Tenants tenants;
  Backlog backlog;
  Now now{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  std::deque<TaskRecord> records;
  std::deque<QueueEntry> tasks;

  explicit Queue(std::map<std::string, Quota> quotas = {})
      : tenants(std::move(quotas)), backlog(config, measures, tenants) {}

  QueueEntry& add(TaskSpec spec = {}, std::uint64_t age_ms = 0) {
    TaskRecord& record = records.emplace_back();
    record.sequence = records.size();
    record.created_ms = to_ms(now.wall) - age_ms;
    spec = make_spec(std::move(spec), {});
    record.spec = KeptSpec(spec);
    QueueEntry& task = tasks.emplace_back();
    backlog.enroll(task, record, spec, Duration{0}, now);
    backlog.add(task, now.mono);
    backlog.check_invariants();
    return task;
  }
  void end(QueueEntry& task, double executed_s) {
    backlog.unplaced(task, executed_s);
    backlog.forget(task);
    backlog.check_invariants();
  }
  /// Of all classes: the first task of the tenant whose turn it is.
  QueueEntry& take(double expected_s = 1) {
    const TenantQueue* first = nullptr;
    for (const TaskClass* group : backlog.active())
      for (const TenantQueue* queue : group->order)
        if (!first || std::pair(queue->tenant->turn, queue->head()) <
                          std::pair(first->tenant->turn, first->head()))
          first = queue;
    REQUIRE(first);
    QueueEntry& task = *first->tasks.begin()->second;
    backlog.remove(task);
    task.expected_s = expected_s;
    backlog.placed(task);
    backlog.check_invariants();
    return task;
  }
};

/// Kinds of tasks that can wait at once beside so many providers.
std::size_t kinds_beside(std::size_t providers) {
  Queue q;
  TaskSpec spec;
  std::size_t kinds = 0;
  for (; q.backlog.has_class_for(spec, providers); spec.needs.ram_mib = ++kinds) q.add(spec);
  return kinds;
}

TaskSpec spec_of(const std::string& tenant, std::uint8_t priority = limits::kDefaultPriority,
                 const std::string& model = "") {
  TaskSpec spec;
  spec.tenant = tenant;
  spec.priority = priority;
  spec.needs.model = model;
  return spec;
}

}  // namespace

TEST_CASE("a task that comes back is ahead of what came after it") {
  Queue q;
  QueueEntry &a = q.add(), &b = q.add();
  CHECK(&q.take() == &a);
  q.backlog.unplaced(a, 0);
  q.backlog.add(a, q.now.mono);
  CHECK(&q.take() == &a);
  CHECK(&q.take() == &b);
}

TEST_CASE("the more urgent goes first, until another has waited a step longer") {
  Queue q;
  QueueEntry& low = q.add(spec_of("", 0));
  QueueEntry& high = q.add(spec_of("", 9));
  QueueEntry& normal = q.add();
  QueueEntry& old = q.add(spec_of("", 0), 9 * 60'000 + 1);  // nine steps and a little
  CHECK(&q.take() == &old);
  CHECK(&q.take() == &high);
  CHECK(&q.take() == &normal);
  CHECK(&q.take() == &low);
  CHECK(q.backlog.empty());
}

TEST_CASE("a task changes its place with its priority") {
  Queue q;
  QueueEntry &a = q.add(), &b = q.add(), &c = q.add(spec_of("", 5, "x"));
  q.backlog.set_priority(b, 6);
  q.backlog.check_invariants();
  CHECK(&q.take() == &b);
  q.backlog.set_priority(c, 9);
  CHECK(&q.take() == &c);
  CHECK(&q.take() == &a);
}

TEST_CASE("a delayed task waits for its time, not in the way of others") {
  Queue q;
  TaskSpec later;
  later.not_before_ms = to_ms(q.now.wall) + 5000;
  QueueEntry& delayed = q.add(later);
  CHECK(q.backlog.size() == 1);
  CHECK(q.backlog.ready() == 0);
  CHECK(q.backlog.next_deadline() == q.now.mono + from_ms(5000));
  q.backlog.release_due(q.now.mono + from_ms(4999));
  CHECK(q.backlog.ready() == 0);
  q.backlog.set_priority(delayed, 9);
  q.backlog.release_due(q.now.mono + from_ms(5000));
  CHECK(q.backlog.next_deadline() == kNever);
  CHECK(&q.take() == &delayed);
}

TEST_CASE("tenants share by weight what is measured, not how many tasks they have") {
  Queue q({{"gold", {3, 0, 0, 0}}});
  for (int i = 0; i < 400; ++i) q.add(spec_of("gold", 5, i % 2 ? "x" : "y"));
  for (int i = 0; i < 400; ++i) q.add(spec_of("long"));
  for (int i = 0; i < 400; ++i) q.add(spec_of("short"));
  std::map<std::string, double> used;
  for (int i = 0; i < 300; ++i) {
    QueueEntry& task = q.take(1);  // all are expected to take a second
    const std::string tenant(task.record->spec.tenant());
    const double took = tenant == "long" ? 4 : 1;
    used[tenant] += took;
    q.end(task, took);
  }
  CHECK(used["long"] == Approx(used["short"]).margin(5));
  CHECK(used["gold"] == Approx(3 * used["short"]).margin(10));
}

TEST_CASE("who was away has saved nothing up") {
  Queue q;
  for (int i = 0; i < 100; ++i) q.add(spec_of("busy"));
  for (int i = 0; i < 50; ++i) q.end(q.take(10), 10);
  for (int i = 0; i < 50; ++i) q.add(spec_of("newcomer"));
  int newcomers = 0;
  for (int i = 0; i < 20; ++i) {
    QueueEntry& task = q.take(10);
    newcomers += task.record->spec.tenant() == "newcomer";
    q.end(task, 10);
  }
  CHECK(newcomers >= 9);
  CHECK(newcomers <= 11);
}

TEST_CASE("who only has tasks whose time has yet to come saves nothing up either") {
  Queue q;
  TaskSpec later = spec_of("newcomer");
  later.not_before_ms = to_ms(q.now.wall) + 5000;
  q.add(later);
  for (int i = 0; i < 100; ++i) q.add(spec_of("busy"));
  for (int i = 0; i < 50; ++i) q.end(q.take(10), 10);
  q.now.mono += from_ms(5000);
  q.now.wall += from_ms(5000);
  q.backlog.release_due(q.now.mono);
  for (int i = 0; i < 50; ++i) q.add(spec_of("newcomer"));
  int newcomers = 0;
  for (int i = 0; i < 20; ++i) {
    QueueEntry& task = q.take(10);
    newcomers += task.record->spec.tenant() == "newcomer";
    q.end(task, 10);
  }
  CHECK(newcomers >= 9);
  CHECK(newcomers <= 11);
}

TEST_CASE("who only has tasks that fit nobody saves nothing up either") {
  test::Fleet f;
  Provider& provider = f.join("a", {});
  f.add(spec_of("newcomer", 5, "nobody has it"));
  for (int i = 0; i < 100; ++i) f.add(spec_of("busy"));
  int newcomers = 0;
  for (int i = 0; i < 70; ++i) {
    for (int more = 0; i == 50 && more < 50; ++more) f.add(spec_of("newcomer"));
    f.scheduler.start();
    const auto placement = f.scheduler.next(f.now);
    REQUIRE(placement);
    newcomers += placement->task->record->spec.tenant() == "newcomer";
    f.place(*placement->task, provider);
    f.pass(10);
    f.complete(*placement->task);
  }
  CHECK(newcomers >= 9);
  CHECK(newcomers <= 11);
}

TEST_CASE("a tenant that may not run more is passed over until one ends") {
  Queue q({{"*", {1, 0, 2, 0}}});
  for (int i = 0; i < 4; ++i) q.add(spec_of("a"));
  QueueEntry& other = q.add(spec_of("b"));
  QueueEntry &first = q.take(), &second = q.take(), &third = q.take();
  CHECK((&first == &other) + (&second == &other) + (&third == &other) == 1);
  for (const TaskClass* group : q.backlog.active()) CHECK(group->order.empty());
  QueueEntry& ended = &first == &other ? second : first;
  q.end(ended, 1);
  CHECK(q.take().record->spec.tenant() == "a");
}

TEST_CASE("quotas count tasks and bytes of one tenant") {
  Queue q({{"small", {1, 2, 0, 100}}});
  CHECK_FALSE(q.tenants.over_quota("small", 100));
  CHECK(q.tenants.over_quota("small", 101)->code == ErrorCode::kOverQuota);
  const TaskSpec spec = spec_of("small");
  const std::size_t left = 100 - make_spec(spec, {}).raw.size();
  q.add(spec);
  CHECK_FALSE(q.tenants.over_quota("small", left));
  CHECK(q.tenants.over_quota("small", left + 1)->detail ==
        "tenant 'small' may have 100 bytes of tasks at once");
  QueueEntry& task = q.add(spec);
  CHECK(q.tenants.over_quota("small", 1)->detail ==
        "tenant 'small' may have 2 queued tasks at once");
  q.backlog.remove(task);
  q.backlog.forget(task);
  CHECK_FALSE(q.tenants.over_quota("small", left));
  CHECK_FALSE(q.tenants.over_quota("other", 1'000'000));
}

TEST_CASE("names of tenants that owe nothing are forgotten") {
  Queue q;
  for (int i = 0; i < 20'000; ++i) {
    QueueEntry& task = q.add(spec_of("t" + std::to_string(i)));
    q.backlog.remove(task);
    q.backlog.forget(task);
  }
  CHECK(q.tenants.all().empty());
}

TEST_CASE("the larger the fleet, the fewer kinds of tasks: each is an index of it") {
  CHECK(kinds_beside(0) == 1024);
  CHECK(kinds_beside(900) == 1024);
  CHECK(kinds_beside(10'000) == 100);
  CHECK(kinds_beside(1'000'000) == 32);
}
