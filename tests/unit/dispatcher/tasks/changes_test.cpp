#include "dispatcher/tasks/changes.h"

#include <catch2/catch.hpp>

using namespace genai;
using namespace genai::dispatcher;

namespace {

Task with(TaskHandle handle) {
  Task task;
  task.handle = handle;
  task.sequence = 100 + handle;
  return task;
}

std::vector<TaskHandle> take(Changes& changes) {
  std::vector<TaskHandle> taken;
  changes.take_noted([&](TaskHandle task) {
    taken.push_back(task);
    return true;
  });
  return taken;
}

}  // namespace

TEST_CASE("many changes of a task are one, in the order of the first of each") {
  Changes changes(true);
  const Task a = with(0), b = with(1);
  changes.note(b);
  changes.note(a);
  changes.note(b);
  CHECK(!changes.empty());
  CHECK(take(changes) == std::vector<TaskHandle>{1, 0});
  CHECK(changes.empty());
  CHECK(take(changes).empty());
}

TEST_CASE("what nobody waits for is due later, and what somebody waits for at once") {
  Changes changes(true);
  changes.note_lazily(with(0), from_ms(100));
  CHECK(changes.due_at() == from_ms(100) + kLazyTime);
  changes.note(with(1));
  CHECK(changes.due_at() == Duration{0});
  take(changes);
  changes.settle();
  CHECK(changes.due_at() == kNever);
}

TEST_CASE("a task that goes before it was stored leaves nothing to write") {
  Changes changes(true);
  const Task task = with(0);
  changes.note(task);
  changes.erase(task.handle, task.sequence);
  CHECK(changes.empty());
  changes.note(task);
  take(changes);
  changes.stored(task);
  changes.note(task);
  changes.erase(task.handle, task.sequence);
  CHECK(take(changes).empty());
  CHECK(changes.take_erased() == std::vector<std::uint64_t>{task.sequence});
  CHECK(!changes.of(task.handle).exists);  // the handle may be another's from now on
}

TEST_CASE("some of the changes can be taken before the others") {
  Changes changes(true);
  for (TaskHandle handle = 0; handle < 5; ++handle) changes.note(with(handle));
  std::vector<TaskHandle> taken;
  changes.take_noted([&](TaskHandle task) {
    if (task % 2 == 0) return false;
    taken.push_back(task);
    return true;
  });
  CHECK(taken == std::vector<TaskHandle>{1, 3});
  changes.erase(2, 102);
  changes.note(with(1));
  CHECK(take(changes) == std::vector<TaskHandle>{0, 4, 1});
}

TEST_CASE("without a store nothing is noted") {
  Changes changes(false);
  const Task task = with(0);
  changes.note(task);
  changes.stored(task);
  changes.erase(task.handle, task.sequence);
  CHECK(changes.empty());
  CHECK(changes.due_at() == kNever);
  CHECK(!changes.of(task.handle).exists);
}
