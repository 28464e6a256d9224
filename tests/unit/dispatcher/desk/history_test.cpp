// What is kept of tasks: their logs, and of those that are over all that can still be asked.
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

const NodeId kNode = *NodeId::parse("node-1");

LogEntry entry(unsigned number) {
  return {1000 + number, static_cast<TaskStatus>(number % 6), std::string(number * 7, 'r'),
          number % 2 ? kNode : NodeId(), number};
}

/// Of the only task.
bool is_past(const World& w, const std::string& id) {
  const Known& known = *w.core.tasks().begin();
  return known.id() == id && !known.present();
}

/// A life with an error and a result, fetched.
void live(World& w, const std::string& id) {
  TaskSpec spec;
  spec.label = "a cat";
  spec.tenant = "acme";
  w.submit(id, spec);
  auto first = w.take_only_assigned();
  w.ack(first.first, first.second);
  w.error(first.first, first.second);
  w.run_for(2000);
  auto second = w.take_only_assigned();
  w.ack(second.first, second.second);
  w.run_for(250);
  w.result(second.first, second.second);
  REQUIRE(w.take_delivered().size() == 1);
}

void become_past(World& w, const std::string& id) {
  live(w, id);
  w.fetch(id);
  REQUIRE(is_past(w, id));
}

ValueMap told(World& w, const std::string& id) {
  w.from_client(msg::StatusQuery{9, {task_id(id)}});
  auto tasks = w.take_to_client<msg::Tasks>();
  REQUIRE(tasks.size() == 1);
  REQUIRE(tasks[0].tasks.size() == 1);
  return tasks[0].tasks[0];
}

}  // namespace

TEST_CASE("a log gives back what was added, wherever one is taken out") {
  for (unsigned out = 0; out < 5; ++out) {
    TaskLog log;
    std::vector<LogEntry> plain;
    for (unsigned i = 0; i < 5; ++i) {
      log.push_back(entry(i));
      plain.push_back(entry(i));
    }
    CHECK(log.back() == entry(4));
    log.erase(out);
    plain.erase(plain.begin() + out);
    CAPTURE(out);
    REQUIRE(log.size() == 4);
    CHECK(std::equal(log.begin(), log.end(), plain.begin(), plain.end()));
    CHECK(log.front() == plain.front());
    CHECK(log.back() == plain.back());
    CHECK(log.last_status() == plain.back().status);
    CHECK(log.at(2) == plain[2]);
    CHECK(TaskLog::from_raw(log.raw()) == log);
    CHECK(TaskLog::from_raw(log.raw()).back() == plain.back());
    log.push_back(entry(9));
    CHECK(log.back() == entry(9));
  }
  TaskLog one{entry(3)};
  CHECK_THROWS_AS(one.at(1), std::out_of_range);
  one.erase(0);
  CHECK(one.empty());
  CHECK(one.bytes() == 0);
}

TEST_CASE("a reason that is too long for a log is cut, not wrapped around") {
  TaskLog log;
  log.add(1, TaskStatus::kFailed, std::string(70'000, 'x'), kNode, 2);
  CHECK(log.back().reason.size() == 65'535);
  CHECK(log.back().node_id == kNode);
}

TEST_CASE("a fetched task is past, and everything of it can still be asked") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  live(w, "t");
  ValueMap before = told(w, "t");
  CHECK(get_string(before, "result") == "waiting");
  before["result"] = "fetched";
  w.fetch("t");
  REQUIRE(is_past(w, "t"));
  const ValueMap after = told(w, "t");
  CHECK(after == before);
  CHECK(get_string(after, "label") == "a cat");
  CHECK(get_string(after, "tenant") == "acme");
  CHECK(get_uint(after, "faults") == 1);
  CHECK(get_uint(after, "attempt") == 2);
  CHECK(get_uint(after, "run_ms") == 5);
  CHECK(!get_string(after, "node_id").empty());
  CHECK(get_uint(after, "queued_ms") >= 2000);
  CHECK(get_uint(after, "total_ms") >= 2250);
  CHECK(get_list(after, "log").size() == 7);  // accepted, 2 x (Scheduled, Sent), requeued, result
  w.step();
  CHECK(is_past(w, "t"));  // asking does not keep it

  w.from_client(msg::List{4, {}});
  const auto listed = w.take_to_client<msg::Tasks>();
  REQUIRE(listed.size() == 1);
  REQUIRE(listed[0].tasks.size() == 1);
  CHECK(get_string(listed[0].tasks[0], "status") == "Completed");
  CHECK(is_past(w, "t"));
}

TEST_CASE("a past task is known to who submits it again, and told to who watches it") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  become_past(w, "t");
  CHECK(w.submit("t").code == ErrorCode::kIdConflict);  // without label and tenant
  w.from_client(msg::Watch{3, msg::WatchLevel::kResult, {task_id("t")}}, "other");
  auto again = w.take_delivered("other");
  REQUIRE(again.size() == 1);
  CHECK(get_bool(again[0].info, "result_gone"));
  CHECK(get_uint(again[0].info, "attempts") == 2);
  w.step();
  CHECK(!is_past(w, "t"));  // until the watcher has it
  w.fetch("t", "other");
  CHECK(is_past(w, "t"));
  CHECK(w.cancel("t").code == ErrorCode::kAlreadyTerminal);
}

TEST_CASE("a past task whose result was dropped still says so") {
  Config config;
  config.result_retention = from_ms(60'000);
  World w(config);
  w.snapshot({World::entry(1)});
  w.complete("t");
  w.core.handle(ClientGone{"client"}, w.now);
  w.run_for(61'000);
  REQUIRE(is_past(w, "t"));
  CHECK(get_string(told(w, "t"), "result") == "dropped");
  CHECK(get_uint(told(w, "t"), "run_ms") == 5);
}

TEST_CASE("a past task is forgotten at the end of its retention") {
  Config config;
  config.max_history = 1;
  World w(config);
  w.snapshot({World::entry(1), World::entry(2)});
  live(w, "a");
  w.fetch("a");
  live(w, "b");
  w.fetch("b");
  CHECK(!w.core.tasks().knows(task_id("a")));
  CHECK(w.core.tasks().knows(task_id("b")));
  CHECK(w.core.tasks().count(TaskStatus::kCompleted) == 1);
}

TEST_CASE("past tasks of another tenant are not listed, nor known") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  become_past(w, "t");
  w.who = {.kind = Identity::Kind::kClient,
           .key = "key of another",
           .node = {},
           .tenant = "another",
           .may_submit = true,
           .may_watch = true};
  w.from_client(msg::List{4, {}});
  const auto listed = w.take_to_client<msg::Tasks>();
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].tasks.empty());
  CHECK(w.cancel("t").code == ErrorCode::kUnknownTask);
}

TEST_CASE("a past task that nobody watches any more is past again") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.complete("t");
  w.fetch("t");
  REQUIRE(is_past(w, "t"));
  w.submit("t");  // is watched by that, and told at once
  w.step();
  CHECK(!is_past(w, "t"));
  w.submit("t", {}, msg::WatchLevel::kNone);
  CHECK(is_past(w, "t"));
}
