// The table alone: what is known by an id, and by a handle.
#include "dispatcher/tasks/task_table.h"

#include <catch2/catch.hpp>

#include "protocol/wire/codec.h"

using namespace genai;
using namespace genai::dispatcher;

namespace {

TaskId id_of(const std::string& text) { return *TaskId::parse(text); }

struct Tasks {
  Changes changes{true};
  TaskTable table{changes};
  Now now{from_ms(1'000), from_ms(1'700'000'000'000)};
  std::uint64_t sequence = 0;

  Task& add(const std::string& id, Duration expires_at = kNever) {
    auto task = std::make_unique<Task>();
    task->id = id_of(id);
    task->sequence = ++sequence;
    task->spec = KeptSpec(make_spec({}, {}));
    task->expires_at = expires_at;
    Task& added = table.insert(std::move(task), now);
    table.check_invariants();
    return added;
  }
  void end(Task& task) {
    table.move(task, Step::kAbort, "cancelled", now);
    task.fetched = true;
    table.check_invariants();
  }
  void write_all() {
    changes.take_noted([&](TaskHandle handle) {
      changes.stored(*table.present(handle));
      return true;
    });
    changes.settle();
  }
  TaskRecord record(const std::string& id, TaskStatus status, std::uint32_t current) {
    TaskRecord record;
    record.id = id_of(id);
    record.sequence = ++sequence;
    record.spec = KeptSpec(make_spec({}, {}));
    record.created_ms = 1'699'999'999'000;
    record.status = status;
    record.issued = {{1, 7, {}, *NodeId::parse("n")}};
    record.current = current;
    record.log.add(1, status, "before");
    return record;
  }
};

}  // namespace

TEST_CASE("handles are dense, and are given again") {
  Tasks t;
  Task &a = t.add("a"), &b = t.add("b");
  const TaskHandle first = a.handle;
  CHECK(first == 0);
  CHECK(b.handle == 1);
  t.table.erase(a.handle, true, t.now.mono);
  t.table.check_invariants();
  CHECK(!t.table.knows(id_of("a")));
  CHECK(t.add("c").handle == first);
  CHECK(t.add("d").handle == 2);
  CHECK(t.table.present(first)->id == id_of("c"));
}

TEST_CASE("a past task keeps its handle, is read without being revived, and revived by find") {
  Tasks t;
  Task& task = t.add("a");
  const TaskHandle handle = task.handle;
  t.end(task);
  t.write_all();
  t.table.settle(task);
  t.table.compact();
  t.table.check_invariants();
  const Known& known = t.table.at(handle);
  REQUIRE(known.present() == nullptr);
  CHECK(t.table.find_present(id_of("a")) == nullptr);
  {
    const TaskView view = t.table.peek(id_of("a"));
    REQUIRE(view);
    CHECK(view->status == TaskStatus::kAborted);
    CHECK(view->log.size() == 2);
    CHECK(known.present() == nullptr);
  }
  CHECK(!t.table.peek(id_of("b")));
  REQUIRE(t.table.find(id_of("a")) != nullptr);
  CHECK(known.present() != nullptr);
  t.table.compact();
  CHECK(known.present() == nullptr);
  t.table.erase(handle, false, t.now.mono);
  CHECK(t.table.size() == 0);
  CHECK(t.changes.take_erased() == std::vector<std::uint64_t>{1});
}

TEST_CASE("somebody who waits keeps a settled task from being packed away") {
  Tasks t;
  Task& task = t.add("a");
  t.end(task);
  t.write_all();
  t.table.settle(task);
  t.table.unsettle(task);
  t.table.compact();
  CHECK(t.table.find_present(id_of("a")) == &task);
  t.table.settle(task);
  t.table.compact();
  CHECK(t.table.find_present(id_of("a")) == nullptr);
}

TEST_CASE("the ids come in their order, past ones among them") {
  Tasks t;
  for (const char* id : {"m", "a", "z", "k"}) t.add(id);
  Task& past = *t.table.find(id_of("k"));
  t.end(past);
  t.write_all();
  t.table.settle(past);
  t.table.compact();
  std::string ids;
  for (const Known& known : t.table) ids += known.id();
  CHECK(ids == "akmz");
  CHECK(t.table.after(id_of("k"))->id() == "m");
  CHECK(t.table.after(id_of("b"))->id() == "k");
  CHECK(t.table.after(id_of("z")) == t.table.end());
}

TEST_CASE("what was assigned before a restart waits for its node, or is given up") {
  Tasks t;
  const auto status = GENERATE(TaskStatus::kScheduled, TaskStatus::kSent);
  Task& task = t.table.restore(t.record("a", status, 1), t.now);
  t.table.check_invariants();
  CHECK(task.status == TaskStatus::kUnscheduled);
  CHECK(task.recovering);
  CHECK(task.current == 1);
  CHECK(task.log.size() == 2);
  CHECK(t.table.count(TaskStatus::kUnscheduled) == 1);
  CHECK(t.changes.is_noted(task.handle));
  t.table.give_up(task, t.now);
  t.table.check_invariants();
  CHECK(!task.recovering);
  CHECK(task.current == 0);
}

TEST_CASE("what only waited before a restart is as it was, and nothing is to be written") {
  Tasks t;
  Task& task = t.table.restore(t.record("a", TaskStatus::kUnscheduled, 0), t.now);
  CHECK(!task.recovering);
  CHECK(task.log.size() == 1);
  CHECK(t.changes.empty());
  CHECK(t.changes.of(task.handle).exists);
}

TEST_CASE("a deadline that moves away is noted again when its old time has come") {
  Tasks t;
  Task &late = t.add("late", from_ms(5'000)), &soon = t.add("soon", from_ms(2'000));
  CHECK(t.table.next_deadline() == from_ms(2'000));
  soon.expires_at = from_ms(9'000);
  CHECK(t.table.next_due(from_ms(1'999)) == nullptr);
  CHECK(t.table.next_due(from_ms(2'000)) == nullptr);
  CHECK(t.table.next_deadline() == from_ms(5'000));
  CHECK(t.table.next_due(from_ms(5'000)) == &late);
  t.end(late);
  CHECK(t.table.next_due(from_ms(5'000)) == nullptr);
  CHECK(t.table.next_deadline() == from_ms(9'000));
  t.table.check_invariants();
}
