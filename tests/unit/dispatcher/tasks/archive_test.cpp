// How long results, failed tasks and histories are kept.
#include "dispatcher/tasks/archive.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "dispatcher/tasks/result_info.h"
#include "protocol/wire/codec.h"

using namespace genai;
using namespace genai::dispatcher;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Kept {
  Retention limits;
  Metrics metrics;
  Changes changes{true};
  TaskTable tasks{changes};
  Archive archive{limits, tasks, changes, metrics};
  Now now{from_ms(10'000'000), from_ms(1'700'000'000'000)};
  std::uint64_t sequence = 0;
  std::vector<std::string> forgotten, dropped;  // by the last expire()
  std::vector<bool> at_once;                    // of `forgotten`
  std::size_t notes = 0;

  void pass(Duration span) {
    now.mono += span;
    now.wall += span;
  }
  Task& add(const std::string& id, std::size_t payload = 0) {
    auto task = std::make_unique<Task>();
    task->id = *TaskId::parse(id);
    task->sequence = ++sequence;
    task->spec = KeptSpec(make_spec({}, {}));
    task->payload = Blob(std::string(payload, 'p'));
    Task& added = tasks.insert(std::move(task), now);
    write_all();
    return added;
  }
  Task& complete(const std::string& id, std::size_t bytes = 0) {
    Task& task = add(id);
    task.result = Blob(std::string(bytes, 'r'));
    tasks.move(task, Step::kComplete, "result", now);
    archive.add(task);
    write_all();
    return task;
  }
  Task& fail(const std::string& id, std::size_t payload = 0) {
    Task& task = add(id, payload);
    tasks.move(task, Step::kFail, "used up", now);
    archive.add(task);
    write_all();
    return task;
  }
  void write_all() {
    changes.take_noted([&](TaskHandle handle) {
      if (const Task* task = tasks.present(handle)) changes.stored(*task);
      return true;
    });
    changes.settle();
  }
  /// Carries out what the archive tells.
  void look() {
    forgotten.clear();
    dropped.clear();
    at_once.clear();
    notes = 0;
    std::vector<ArchiveEvent> events;
    archive.take_events(events);
    for (const ArchiveEvent& event : events) {
      if (const auto* gone = std::get_if<Forgotten>(&event)) {
        forgotten.emplace_back(tasks.at(gone->task).id());
        at_once.push_back(gone->at_once);
        archive.forget(*gone, now.mono);
      } else if (const auto* drop = std::get_if<ResultDropped>(&event)) {
        dropped.push_back(drop->task->id.str());
      } else {
        ++notes;
      }
    }
    tasks.check_invariants();
  }
  void expire() {
    archive.expire(now.mono);
    look();
    CHECK(archive.next_deadline() > now.mono);  // a loop would spin
  }
  bool knows(const std::string& id) const { return tasks.knows(*TaskId::parse(id)); }
  std::uint64_t metric(const std::string& name) const {
    ValueMap map;
    metrics.write(map);
    return get_uint(map, name, UINT64_MAX);
  }
};

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("archive: a result that nobody fetches is kept for its time, then only its history") {
  Kept kept;
  Task& task = kept.complete("t", 1'000);
  CHECK(kept.archive.unacknowledged() == 1);
  CHECK(kept.archive.next_deadline() == kept.now.mono + kept.limits.result_retention);
  kept.pass(kept.limits.result_retention - from_ms(1));
  kept.expire();
  CHECK(kept.dropped.empty());
  CHECK(task.result.size() == 1'000);
  kept.pass(from_ms(1));
  kept.expire();
  CHECK(kept.dropped == Ids{"t"});
  CHECK(kept.notes == 1);
  CHECK(kept.metric("dropped_results_total") == 1);
  CHECK(kept.metric("result_bytes") == 0);
  CHECK(kept.archive.unacknowledged() == 0);
  CHECK(task.result.empty());
  CHECK(task.fetched);
  CHECK(get_bool(task.info, kResultDropped));  // it does not read as if a client had it
  CHECK(kept.forgotten.empty());

  kept.pass(kept.limits.history_retention - from_ms(1));
  kept.expire();
  CHECK(kept.forgotten.empty());
  kept.pass(from_ms(1));
  kept.expire();
  CHECK(kept.forgotten == Ids{"t"});
  CHECK(kept.at_once == std::vector<bool>{false});
  CHECK(!kept.knows("t"));
  CHECK(kept.archive.next_deadline() == kNever);
}

TEST_CASE("archive: a result that was fetched is no dropped result") {
  Kept kept;
  Task& task = kept.complete("t", 1'000);
  kept.pass(from_ms(60'000));
  kept.archive.fetched(task, kept.now.mono);
  kept.look();
  CHECK(kept.dropped.empty());
  CHECK(kept.notes == 0);
  CHECK(task.result.empty());
  CHECK(task.fetched);
  CHECK(!task.info.contains(kResultDropped));
  CHECK(kept.archive.unacknowledged() == 0);
  CHECK(kept.metric("dropped_results_total") == 0);
  // Its history begins with the fetch.
  CHECK(kept.archive.next_deadline() == kept.now.mono + kept.limits.history_retention);
  kept.archive.fetched(task, kept.now.mono);  // another client has it too
  kept.pass(kept.limits.history_retention);
  kept.expire();
  CHECK(kept.forgotten == Ids{"t"});
}

TEST_CASE("archive: beyond the bytes of results the oldest ones go, and no more than must") {
  Kept kept;
  kept.limits.max_result_bytes = 3 * kMiB + kMiB / 2;
  for (const char* id : {"a", "b", "c"}) {
    kept.complete(id, kMiB);
    kept.pass(from_ms(10));
  }
  kept.expire();
  CHECK(kept.dropped.empty());
  kept.complete("d", kMiB);
  kept.expire();
  CHECK(kept.dropped == Ids{"a"});
  kept.pass(from_ms(10));
  kept.complete("large", 3 * kMiB);
  kept.expire();
  CHECK(kept.dropped == Ids{"b", "c", "d"});
  CHECK(kept.archive.unacknowledged() == 1);
  CHECK(kept.metric("result_bytes") >= 3 * kMiB);
  CHECK(kept.metric("result_bytes") <= kept.limits.max_result_bytes);
}

TEST_CASE("archive: results without bytes count too, or there would be no end of them") {
  Kept kept;
  kept.limits.max_result_bytes = kMiB;
  constexpr std::size_t kMany = 5'000;
  for (std::size_t i = 0; i < kMany; ++i) kept.complete("t-" + std::to_string(i));
  kept.expire();
  CHECK(kept.archive.unacknowledged() > 100);
  CHECK(kept.archive.unacknowledged() < kMany / 2);
  CHECK(kept.archive.unacknowledged() + kept.dropped.size() == kMany);
}

TEST_CASE("archive: the oldest is what ended first, in whatever order they are taken up") {
  Kept kept;
  kept.limits.max_result_bytes = 0;
  const auto ended = [&](const char* id, Duration before) {
    Task& task = kept.add(id);
    kept.tasks.move(task, Step::kComplete, "result", kept.now);
    task.ended_at -= before;
    kept.archive.add(task);
    kept.write_all();
  };
  ended("second", from_ms(500));
  ended("third", from_ms(10));
  ended("first", from_ms(900));
  kept.expire();
  CHECK(kept.dropped == Ids{"first", "second", "third"});
}

TEST_CASE("archive: the end of an aborted task that nobody hears is not a lost result") {
  Kept kept;
  Task& task = kept.add("t");
  kept.tasks.move(task, Step::kAbort, "cancelled", kept.now);
  kept.archive.add(task);
  kept.write_all();
  kept.pass(kept.limits.result_retention);
  kept.expire();
  CHECK(kept.dropped == Ids{"t"});
  CHECK(kept.notes == 0);
  CHECK(kept.metric("dropped_results_total") == 0);
  CHECK(!task.info.contains(kResultDropped));
}

TEST_CASE("archive: failed tasks are kept apart, with their payloads, for a time of their own") {
  Kept kept;
  Task& failed = kept.fail("failed", 1'000);
  kept.complete("done");
  kept.pass(from_ms(1'000));
  kept.archive.fetched(failed, kept.now.mono);  // its client knows of the failure
  CHECK(failed.payload.size() == 1'000);
  CHECK(kept.archive.unacknowledged() == 1);  // the other one
  kept.pass(kept.limits.failed_retention - from_ms(1'001));
  kept.expire();
  CHECK(kept.dropped == Ids{"done"});
  CHECK(kept.forgotten.empty());
  CHECK(kept.knows("failed"));
  kept.pass(from_ms(1));
  kept.expire();
  CHECK(kept.forgotten == Ids{"failed"});
  CHECK(kept.at_once == std::vector<bool>{false});
  CHECK(kept.notes == 1);
  CHECK(kept.metric("failed_bytes") == 0);
}

TEST_CASE("archive: beyond the bytes of failed tasks the oldest ones are forgotten") {
  Kept kept;
  kept.limits.max_failed_bytes = 2 * kMiB + kMiB / 2;
  kept.limits.max_result_bytes = 0;  // has no say here
  for (const char* id : {"a", "b", "c", "d"}) {
    kept.fail(id, kMiB);
    kept.pass(from_ms(10));
  }
  kept.expire();
  CHECK(kept.forgotten == Ids{"a", "b"});
  CHECK(kept.notes == 2);
  CHECK(kept.knows("c"));
}

TEST_CASE("archive: a purged task is forgotten at once and is not counted any more") {
  Kept kept;
  Task& task = kept.fail("t", kMiB);
  CHECK(kept.metric("failed_bytes") >= kMiB);
  kept.archive.purge(task);
  kept.look();
  CHECK(kept.forgotten == Ids{"t"});
  CHECK(kept.at_once == std::vector<bool>{true});
  CHECK(kept.metric("failed_bytes") == 0);
  CHECK(kept.changes.due_at() == Duration{0});
  CHECK(kept.changes.take_erased() == std::vector<std::uint64_t>{1});
  CHECK(kept.archive.next_deadline() == kNever);
}

TEST_CASE("archive: what is forgotten for its age alone is erased later than what was asked for") {
  Kept kept;
  kept.fail("old");
  kept.pass(kept.limits.failed_retention);
  kept.expire();
  CHECK(kept.forgotten == Ids{"old"});
  CHECK(kept.changes.due_at() > kept.now.mono);
  CHECK(kept.changes.due_at() != kNever);
  CHECK(kept.changes.take_erased() == std::vector<std::uint64_t>{1});
}

TEST_CASE("archive: beyond the number of histories the oldest fetched go first") {
  Kept kept;
  kept.limits.max_history = 2;
  for (const char* id : {"a", "b", "c", "d"}) kept.complete(id);
  for (const char* id : {"c", "a", "d", "b"}) {
    kept.pass(from_ms(10));
    kept.archive.fetched(*kept.tasks.find(*TaskId::parse(id)), kept.now.mono);
  }
  kept.expire();
  CHECK(kept.forgotten == Ids{"c", "a"});
}

TEST_CASE("archive: a history that was packed away is forgotten like any other") {
  Kept kept;
  Task& task = kept.complete("t", 1'000);
  kept.archive.fetched(task, kept.now.mono);
  kept.tasks.settle(task);
  kept.write_all();
  kept.tasks.compact();
  REQUIRE(kept.tasks.find_present(*TaskId::parse("t")) == nullptr);
  kept.pass(kept.limits.history_retention);
  kept.expire();
  CHECK(kept.forgotten == Ids{"t"});
  CHECK(!kept.knows("t"));
}

TEST_CASE("archive: a fetched task of an earlier process is a history from the start") {
  Kept kept;
  Task& task = kept.add("t");
  kept.tasks.move(task, Step::kComplete, "result", kept.now);
  task.fetched = true;
  task.fetched_at = kept.now.mono;
  kept.archive.add(task);
  kept.write_all();
  CHECK(kept.archive.unacknowledged() == 0);
  CHECK(kept.archive.next_deadline() == kept.now.mono + kept.limits.history_retention);
}
