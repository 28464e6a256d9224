// What the desk tells of tasks, nodes and the dispatcher.
#include "dispatcher/desk/reports.h"

#include "dispatcher/tasks/result_info.h"
#include "tests/unit/dispatcher/desk/office.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Office;

namespace {

struct Told : Office {
  using Office::Office;

  ValueMap of(const std::string& name, bool with_log = false, const Progress* progress = nullptr) {
    Explanations explanations;
    return desk.reports().task(task(name), progress, with_log, now, explanations);
  }
  std::string waiting(const std::string& name) { return get_string(of(name), "waiting"); }
  const Provider& provider() const { return *placement.providers().sessions().at(session()); }
  ValueMap of_node(bool measured = false) const {
    return const_cast<Told*>(this)->desk.reports().node(provider(), measured, now);
  }
  ValueMap stats(const StoreReport& store = {}, bool draining = false) {
    return desk.reports().stats(store, draining, now);
  }
  Task& accept(const std::string& name, TaskSpec spec = {}) {
    REQUIRE(submit(name, std::move(spec), msg::WatchLevel::kNone).code == ErrorCode::kOk);
    return task(name);
  }
};

ValueList list_of(const ValueMap& map, const std::string& key) {
  const auto it = map.find(key);
  REQUIRE(it != map.end());
  const auto* list = std::get_if<ValueList>(&it->second.v);
  REQUIRE(list != nullptr);
  return *list;
}
ValueMap map_of(const Value& value) {
  const auto* map = std::get_if<ValueMap>(&value.v);
  REQUIRE(map != nullptr);
  return *map;
}

}  // namespace

// ---- tasks

TEST_CASE("reports: of a task there is what it is, and what its client called it") {
  Told told;
  TaskSpec spec;
  spec.label = "cat";
  spec.needs.model = "sdxl";
  spec.tenant = "acme";
  spec.priority = 7;
  told.accept("a", spec);
  told.pass(1'500);
  const ValueMap map = told.of("a");
  CHECK(get_string(map, "task_id") == "a");
  CHECK(get_string(map, "status") == "Unscheduled");
  CHECK(get_string(map, "label") == "cat");
  CHECK(get_string(map, "model") == "sdxl");
  CHECK(get_string(map, "tenant") == "acme");
  CHECK(get_uint(map, "priority") == 7);
  CHECK(get_uint(map, "age_ms") == 1'500);
  CHECK(get_uint(map, "attempt", 9) == 0);
  CHECK(!map.contains("node_id"));
  CHECK(!map.contains("code"));
  CHECK(!map.contains("log"));
  told.accept("plain");
  for (const char* key : {"label", "model", "tenant"}) CHECK(!told.of("plain").contains(key));
}

TEST_CASE("reports: of a task at a node there is the node and its progress") {
  Told told;
  told.send(told.accept("a"));
  ValueMap map = told.of("a");
  CHECK(get_string(map, "status") == "Sent");
  CHECK(get_string(map, "node_id") == "node");
  CHECK(get_uint(map, "attempt") == 1);
  CHECK(std::get<double>(map.at("fraction").v) == 0);
  CHECK(!map.contains("text"));
  CHECK(!map.contains("waiting"));
  const Progress progress{0.25, "step 5"};
  map = told.of("a", false, &progress);
  CHECK(std::get<double>(map.at("fraction").v) == 0.25);
  CHECK(get_string(map, "text") == "step 5");
}

TEST_CASE("reports: only who asks for one task gets its log, and where it could go") {
  Told told;
  told.accept("a");
  const ValueMap map = told.of("a", true);
  const ValueList log = list_of(map, "log");
  REQUIRE(log.size() == 1);
  CHECK(get_string(map_of(log[0]), "reason") == "accepted");
  CHECK(get_string(map_of(log[0]), "status") == "Unscheduled");
  CHECK(!map_of(log[0]).contains("node_id"));
  const ValueList candidates = list_of(map, "candidates");
  REQUIRE(candidates.size() == 1);
  CHECK(get_string(map_of(candidates[0]), "node_id") == "node");
  CHECK(!told.of("a").contains("candidates"));
  told.send(told.task("a"));
  const ValueList longer = list_of(told.of("a", true), "log");
  REQUIRE(longer.size() == 3);
  CHECK(get_string(map_of(longer[2]), "node_id") == "node");
  CHECK(get_uint(map_of(longer[2]), "attempt") == 1);
  CHECK(!told.of("a", true).contains("candidates"));
}

TEST_CASE("reports: of the end of a task there is its code, and what became of its result") {
  Told told;
  told.accept("a");
  SECTION("Completed") {
    Task& task = told.task("a");
    told.send(task);
    task.info = {{"run_ms", 900u}, {"node_id", "a liar"}, {"error", 5u}};
    told.end(task, Step::kComplete);
    told.pass(5'000);
    ValueMap map = told.of("a");
    CHECK(get_string(map, "status") == "Completed");
    CHECK(get_string(map, "code") == "ok");
    CHECK(get_string(map, "result") == "waiting");
    CHECK(get_string(map, "node_id") == "node");  // whatever its node says
    CHECK(get_uint(map, "run_ms") == 900);
    CHECK(!map.contains("error"));           // of a wrong type
    CHECK(get_uint(map, "age_ms", 9) == 0);  // it has ended
    task.fetched = true;
    CHECK(get_string(told.of("a"), "result") == "fetched");
    task.info[std::string(kResultDropped)] = true;
    CHECK(get_string(told.of("a"), "result") == "dropped");
  }
  SECTION("Failed") {
    Task& task = told.task("a");
    task.info["error"] = std::string(100'000, 'x');
    told.end(task, Step::kFail, ErrorCode::kExpired);
    const ValueMap map = told.of("a");
    CHECK(get_string(map, "status") == "Failed");
    CHECK(get_string(map, "code") == "expired");
    CHECK(!map.contains("result"));
    CHECK(!get_string(map, "error").empty());
    CHECK(get_string(map, "error").size() < 10'000);  // a page of tasks must fit a frame
  }
}

// ---- why a task waits

TEST_CASE("reports: a task that waits says what it waits for") {
  PlacementPolicy policy;
  policy.quotas["acme"].max_running = 1;
  Told told(policy);
  SECTION("a provider that fits") {
    TaskSpec spec;
    spec.needs.model = "sdxl";
    told.accept("a", spec);
    CHECK(told.waiting("a") == "1 provider lacks model 'sdxl'");
  }
  SECTION("its time") {
    TaskSpec spec;
    spec.start_in_ms = 5'000;
    told.accept("a", spec);
    told.pass(1'000);
    CHECK(told.waiting("a") == "not to be started for another 4000 ms");
  }
  SECTION("the tasks of its tenant") {
    TaskSpec spec;
    spec.tenant = "acme";
    told.send(told.accept("first", spec));
    told.accept("a", spec);
    CHECK(told.waiting("a") == "tenant 'acme' has 1 tasks running, its limit");
  }
  SECTION("another try after an error") {
    Task& task = told.accept("a");
    told.send(task);
    task.attempt(1)->failed = true;
    task.faults = 1;
    task.current = 1;
    told.tasks.move(task, Step::kRequeue, "an error", told.now);
    told.placement.handle(task_event::Requeued{&task, Office::session(), Cause::kFault}, told.now);
    CHECK_THAT(told.waiting("a"), Catch::StartsWith("not to be tried again for another ") &&
                                      Catch::EndsWith(" ms, after 1 error"));
  }
  SECTION("its node, after a restart") {
    TaskRecord record;
    record.id = Office::id("a");
    record.sequence = 99;
    record.spec = KeptSpec(make_spec({}, {}));
    record.status = TaskStatus::kSent;
    record.created_ms = to_ms(told.now.wall);
    record.issued = {{1, 3, Office::session(), Office::node()}};
    record.current = 1;
    record.log.add(1, TaskStatus::kSent, "before");
    told.placement.restore(told.tasks.restore(std::move(record), told.now), told.now);
    CHECK(told.waiting("a") == "the dispatcher was restarted: waiting for node to report");
    CHECK(!told.of("a", true).contains("candidates"));
  }
  SECTION("another dispatcher to be gone") {
    told.accept("a");
    told.say(msg::ErrorReply{0, ErrorCode::kSuperseded, "no"});
    CHECK(told.waiting("a") == kSupersededText);
  }
  SECTION("a broker that lets the dispatcher in") {
    told.accept("a");
    told.say(msg::ErrorReply{0, ErrorCode::kNotAllowed, "no"});
    CHECK_THAT(told.waiting("a"), Catch::Contains("no broker lets this dispatcher in"));
  }
}

TEST_CASE("reports: why tasks of one kind wait is worked out once for one answer") {
  Told told;
  TaskSpec sdxl, flux;
  sdxl.needs.model = "sdxl";
  flux.needs.model = "flux";
  told.accept("a", sdxl);
  told.accept("b", sdxl);
  told.accept("c", flux);
  Explanations explanations;
  Reports& reports = told.desk.reports();
  const std::string first = reports.explain(told.task("a"), explanations, told.now);
  CHECK(reports.explain(told.task("b"), explanations, told.now) == first);
  CHECK(explanations.size() == 1);
  CHECK(reports.explain(told.task("c"), explanations, told.now) != first);
  CHECK(explanations.size() == 2);
}

// ---- nodes and the dispatcher

TEST_CASE("reports: of a node there is what it says and what was counted") {
  Told told;
  PublicMetaInfo meta;
  meta.models = {"sdxl"};
  meta.gpu_type = "RTX 4090";
  meta.slots = 2;
  told.placement.handle(fleet_event::Joined{Office::session(), Office::node(), meta, true},
                        told.now);
  told.send(told.accept("a"));
  ValueMap map = told.of_node();
  CHECK(get_string(map, "node_id") == "node");
  CHECK(get_string(map, "state") == "online");
  CHECK(get_string(map, "gpu_type") == "RTX 4090");
  CHECK(get_uint(map, "slots") == 2);
  CHECK(get_uint(map, "in_flight") == 1);
  CHECK(get_uint(map, "assigned_total") == 1);
  CHECK(list_of(map, "models").size() == 1);
  CHECK(!get_bool(map, "drained", true));
  CHECK(!map.contains("trouble"));
  CHECK(!map.contains("measured"));
  CHECK(get_uint(map, "probation_ms", 9) == 0);
  told.placement.handle(
      task_event::Behaved{Office::session(), Conduct::kUnfit, nullptr, "no driver"}, told.now);
  map = told.of_node();
  CHECK_THAT(get_string(map, "trouble"), Catch::Contains("no driver"));
  CHECK(get_uint(map, "probation_ms") > 0);
}

TEST_CASE("reports: what was measured of a node is told to who asks for it") {
  Told told;
  Task& task = told.accept("a");
  told.send(task);
  told.pass(2'000);
  told.end(task, Step::kComplete);
  const ValueList measured = list_of(told.of_node(true), "measured");
  REQUIRE(measured.size() == 1);
  const ValueMap map = map_of(measured[0]);
  CHECK(get_string(map, "model", "none").empty());
  CHECK(get_uint(map, "run_p50_ms") == 2'000);
  CHECK(get_uint(map, "load_ms", 9) == 0);
}

TEST_CASE("reports: the dispatcher counts its tasks, its tenants and its brokers") {
  Told told;
  TaskSpec of_acme;
  of_acme.tenant = "acme";
  told.accept("a", of_acme);
  told.send(told.accept("b"));
  told.end(told.accept("c"), Step::kFail, ErrorCode::kExpired);
  told.pass(3'000);
  StoreReport store;
  store.name = "sqlite";
  store.state = StoreReport::State::kLow;
  const ValueMap map = told.stats(store, true);
  CHECK(get_uint(map, "epoch") == Office::kEpoch);
  CHECK(get_uint(map, "uptime_ms") == 3'000);
  CHECK(get_bool(map, "draining"));
  CHECK(get_string(map, "store") == "sqlite");
  CHECK(get_string(map, "store_state") == "low");
  const ValueMap tasks = map_of(map.at("tasks"));
  CHECK(get_uint(tasks, "Unscheduled") == 1);
  CHECK(get_uint(tasks, "Sent") == 1);
  CHECK(get_uint(tasks, "Failed") == 1);
  CHECK(get_uint(tasks, "Completed", 9) == 0);
  const ValueList tenants = list_of(map, "tenants");
  REQUIRE(!tenants.empty());
  const auto acme = std::ranges::find_if(
      tenants, [](const Value& tenant) { return get_string(map_of(tenant), "tenant") == "acme"; });
  REQUIRE(acme != tenants.end());
  CHECK(get_uint(map_of(*acme), "queued") == 1);
  CHECK(get_uint(map_of(*acme), "running", 9) == 0);
  CHECK(map.contains("dropped_answers_total"));  // a metric, as all are
}

TEST_CASE("reports: a broker is connected, down, or refuses and says why") {
  Told told;
  const auto state = [&] {
    const ValueList brokers = list_of(told.stats(), "brokers");
    REQUIRE(brokers.size() == 1);
    CHECK(get_string(map_of(brokers[0]), "endpoint") == "ipc://broker");
    return get_string(map_of(brokers[0]), "state");
  };
  CHECK(state() == "down");
  told.say(msg::Snapshot{InstanceId{}, 0, 1'000, {}, false});
  CHECK(state() == "connected");
  told.say(msg::ErrorReply{0, ErrorCode::kSuperseded, "no"});
  CHECK(state() == "superseded");
  told.say(msg::Snapshot{InstanceId{}, 0, 1'000, {}, false});
  CHECK(state() == "connected");
}
