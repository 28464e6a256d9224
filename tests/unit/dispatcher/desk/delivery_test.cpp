// Clients: idempotent submit, watching, delivery until acknowledged, retention, drain.
#include "protocol/base/bundle.h"
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

TEST_CASE("the same id with the same content is the same task") {
  World w;
  w.snapshot({World::entry(1)});
  CHECK(w.submit("t").code == ErrorCode::kOk);
  CHECK(w.submit("t").code == ErrorCode::kOk);
  CHECK(w.core.tasks().size() == 1);
  CHECK(w.take_assigned().size() == 1);
}

TEST_CASE("the same id with another content is refused") {
  World w;
  w.snapshot();
  w.submit("t");
  CHECK(w.submit("t", {}, msg::WatchLevel::kResult, "client", "another prompt").code ==
        ErrorCode::kIdConflict);
  TaskSpec spec;
  spec.needs.model = "sdxl";
  CHECK(w.submit("t", spec).code == ErrorCode::kIdConflict);
  CHECK(w.core.tasks().size() == 1);
}

TEST_CASE("a repeated submit of a finished task gets its result") {
  World w;
  w.snapshot({World::entry(1)});
  w.complete("t");
  w.take_delivered();
  CHECK(w.submit("t", {}, msg::WatchLevel::kResult, "other").code == ErrorCode::kOk);
  CHECK(w.take_delivered("other").at(0).data.view() == "picture");
}

TEST_CASE("a result is sent again until it is acknowledged") {
  World w;
  w.snapshot({World::entry(1)});
  w.complete("t");
  CHECK(w.take_delivered().size() == 1);
  w.run_for(4'900);
  CHECK(w.take_delivered().empty());
  w.run_for(200);
  CHECK(w.take_delivered().size() == 1);
  w.fetch("t");
  w.run_for(120'000);
  CHECK(w.take_delivered().empty());
  CHECK(w.task("t").result.empty());
  CHECK(w.core.is_idle());
  // Asked for again, it does not pass for an empty result.
  w.submit("t");
  auto again = w.take_delivered();
  REQUIRE(again.size() == 1);
  CHECK(again[0].status == TaskStatus::kCompleted);
  CHECK(get_bool(again[0].info, "result_gone"));
}

TEST_CASE("a client that reconnects watches again and gets what it missed") {
  World w;
  w.snapshot({World::entry(1)});
  w.complete("t");
  w.core.handle(ClientGone{"client"}, w.now);
  w.take_delivered();
  w.run_for(30'000);
  CHECK(w.take_delivered().empty());
  w.from_client(msg::Watch{4, msg::WatchLevel::kResult, {task_id("t"), task_id("unknown")}}, "new");
  auto tasks = w.take_to_client<msg::Tasks>("new");
  REQUIRE(tasks.size() == 1);
  REQUIRE(tasks[0].tasks.size() == 1);
  CHECK(get_string(tasks[0].tasks[0], "status") == "Completed");
  CHECK(w.take_only_error("new") == ErrorCode::kUnknownTask);
  CHECK(w.take_delivered("new").size() == 1);
}

TEST_CASE("each watcher gets the result; the data goes when all have it") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  w.from_client(msg::Watch{4, msg::WatchLevel::kResult, {task_id("t")}}, "second");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.result(node, ref);
  CHECK(w.take_delivered().size() == 1);
  CHECK(w.take_delivered("second").size() == 1);
  w.fetch("t");
  CHECK(!w.task("t").result.empty());
  w.fetch("t", "second");
  CHECK(w.task("t").result.empty());
}

TEST_CASE("a slow client has a bounded window of results on their way") {
  World w;
  w.snapshot({World::entry(1)});
  const std::string big(30u << 20, 'x');
  for (const char* id : {"a", "b", "c", "d"}) w.complete(id, big);
  CHECK(w.take_delivered().size() == 3);  // the window of 64 MiB is full with the third
  w.fetch("a");
  auto next = w.take_delivered();
  REQUIRE(next.size() == 1);
  CHECK(next[0].task_id == task_id("d"));
}

TEST_CASE("results nobody fetches go by age and by bytes, the oldest first, with a warning") {
  Config config;
  config.max_result_bytes = 10'000;
  config.result_retention = from_ms(60'000);
  World w(config);
  w.snapshot({World::entry(1)});
  w.complete("a", std::string(4'000, 'x'));
  w.complete("b", std::string(4'000, 'x'));
  w.step();
  CHECK(w.task("a").result.empty());
  CHECK(!w.task("b").result.empty());
  CHECK(w.status("a") == TaskStatus::kCompleted);
  CHECK(get_string(w.task("a").info, "error").find("dropped") != std::string::npos);
  w.run_for(61'000);
  CHECK(w.task("b").result.empty());
}

TEST_CASE("a result that was dropped does not read as one that was fetched") {
  Config config;
  config.result_retention = from_ms(60'000);
  World w(config);
  w.snapshot({World::entry(1)});
  for (const char* id : {"fetched", "dropped", "waiting"}) w.complete(id);
  w.fetch("fetched");
  w.submit("aborted", {}, msg::WatchLevel::kNone);
  const auto [node, ref] = w.take_only_assigned();
  w.cancel("aborted");
  w.from_node(node, msg::AbortAck{{{ref, msg::AbortOutcome::kNotHeld}}});
  const auto told = [&](const std::string& id) {
    w.from_client(msg::StatusQuery{9, {task_id(id)}});
    const ValueMap status = w.take_to_client<msg::Tasks>().at(0).tasks.at(0);
    w.from_client(msg::List{9, {{"after", id.substr(0, id.size() - 1)}, {"limit", 1}}});
    const ValueMap listed = w.take_to_client<msg::Tasks>().at(0).tasks.at(0);
    CHECK(get_string(listed, "result") == get_string(status, "result"));
    CHECK(get_string(listed, "error") == get_string(status, "error"));
    return status;
  };
  CHECK(get_string(told("dropped"), "result") == "waiting");
  w.run_for(59'000);
  w.complete("waiting-2");
  w.take_delivered();
  w.run_for(2'000);
  CHECK(get_string(told("fetched"), "result") == "fetched");
  CHECK(get_string(told("fetched"), "error").empty());
  CHECK(get_string(told("waiting-2"), "result") == "waiting");
  const ValueMap dropped = told("dropped");
  CHECK(get_string(dropped, "status") == "Completed");
  CHECK(get_string(dropped, "result") == "dropped");
  CHECK(get_string(dropped, "error").find("nobody fetched it") != std::string::npos);
  // Who asks for it gets neither an empty picture nor a wrong story.
  w.from_client(msg::Watch{4, msg::WatchLevel::kResult, {task_id("dropped")}}, "other");
  const auto delivered = w.take_delivered("other");
  REQUIRE(delivered.size() == 1);
  CHECK(get_bool(delivered[0].info, "result_gone"));
  CHECK(get_bool(delivered[0].info, "result_dropped"));
  // Nothing was lost with the end of a task that has no result.
  CHECK(get_string(told("aborted"), "error") == "cancelled by a client");
  CHECK(!told("aborted").contains("result"));
  w.from_client(msg::StatsQuery{3});
  CHECK(get_uint(w.take_to_client<msg::Stats>().at(0).stats, "dropped_results_total") == 2);
}

TEST_CASE("histories are kept for a while and then forgotten") {
  Config config;
  config.history_retention = from_ms(10'000);
  World w(config);
  w.snapshot({World::entry(1)});
  w.complete("t");
  w.fetch("t");
  w.run_for(9'000);
  CHECK(w.core.tasks().size() == 1);
  w.run_for(2'000);
  CHECK(w.core.tasks().size() == 0);
}

TEST_CASE("what was fetched, or dropped, late can be asked about for as long as anything else") {
  World w;
  w.snapshot({World::entry(1)});
  for (const char* id : {"fetched", "dropped"}) w.complete(id);
  w.advance(23ull * 3'600'000);
  w.fetch("fetched");
  CHECK(w.submit("fetched").code == ErrorCode::kOk);
  CHECK(w.core.live_tasks() == 0);  // it is not done again
  w.fetch("fetched");
  w.advance(59 * 60'000);
  w.step();
  CHECK(w.core.tasks().size() == 2);
  w.advance(60'000);
  w.step();  // 24 hours after their end
  CHECK(w.core.tasks().size() == 1);
  CHECK(w.status("dropped") == TaskStatus::kCompleted);
  CHECK(w.submit("dropped", {}, msg::WatchLevel::kNone).code == ErrorCode::kOk);
  CHECK(w.core.live_tasks() == 0);
  w.advance(59 * 60'000);
  w.step();
  CHECK(w.core.tasks().size() == 1);
  w.advance(60'000);
  w.step();
  CHECK(w.core.tasks().size() == 0);
}

TEST_CASE("limits of the queue refuse with a code and keep what was accepted") {
  Config config;
  config.max_tasks = 2;
  World w(config);
  w.snapshot();
  CHECK(w.submit("a").code == ErrorCode::kOk);
  CHECK(w.submit("b").code == ErrorCode::kOk);
  CHECK(w.submit("c").code == ErrorCode::kQueueFull);
  CHECK(w.submit("a").code == ErrorCode::kOk);  // a repeat is no new task
  CHECK(w.core.live_tasks() == 2);
  Config bytes;
  bytes.max_queued_bytes = 10;
  World v(bytes);
  v.snapshot();
  CHECK(v.submit("a").code == ErrorCode::kOk);
  CHECK(v.submit("b").code == ErrorCode::kQueueFull);
}

TEST_CASE("one bad value refuses a whole SUBMIT, a quota only its task") {
  Config config;
  config.quotas["small"].max_queued = 1;
  World w(config);
  w.snapshot();
  TaskSpec small;
  small.tenant = "small";
  msg::Submit submit{
      7, msg::WatchLevel::kResult, {World::submission("a", small), World::submission("b", small)}};
  submit.tasks.push_back(World::submission("c"));
  submit.tasks.back().spec = make_spec({}, {{"priority", 77}});
  w.from_client(submit);
  const auto errors = w.take_to_client<msg::ErrorReply>();
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].request == 7);
  CHECK(errors[0].code == ErrorCode::kBadField);
  CHECK(errors[0].detail.find("tasks[2]") != std::string::npos);
  CHECK(errors[0].detail.find("'priority'") != std::string::npos);
  CHECK(w.core.tasks().size() == 0);
  submit.tasks.back() = World::submission("c");
  w.from_client(submit);
  const auto verdicts = w.take_to_client<msg::Accepted>().at(0).verdicts;
  CHECK(verdicts.at(0).code == ErrorCode::kOk);
  CHECK(verdicts.at(1).code == ErrorCode::kOverQuota);
  CHECK(verdicts.at(2).code == ErrorCode::kOk);
  // Of several reasons the first one of SPEC.md's list is told; what is known is known.
  w.core.stop();
  CHECK(w.submit("b", small).code == ErrorCode::kDraining);
  CHECK(w.submit("a", small).code == ErrorCode::kOk);
  CHECK(w.submit("a").code == ErrorCode::kIdConflict);
}

TEST_CASE("what a spec holds counts wherever bytes are limited") {
  const std::string params(4'000, 'p');
  Config config;
  config.max_queued_bytes = 7'000;
  config.max_result_bytes = config.max_failed_bytes = 8'000;
  World w(config);
  w.snapshot();
  const auto submit = [&](const std::string& id) {
    msg::Submission submission = World::submission(id);
    TaskSpec named;
    named.max_attempts = 1;
    submission.spec = make_spec(named, {{"params", ValueMap{{"prompt", params}}}});
    w.from_client(msg::Submit{1, msg::WatchLevel::kNone, {std::move(submission)}});
    return w.take_to_client<msg::Accepted>().at(0).verdicts.at(0).code;
  };
  CHECK(submit("a") == ErrorCode::kOk);
  CHECK(submit("b") == ErrorCode::kQueueFull);
  w.join(1);
  w.error(1, w.take_only_assigned().second);
  CHECK(submit("b") == ErrorCode::kOk);
  w.error(1, w.take_only_assigned().second);
  w.step();
  CHECK(!w.core.tasks().knows(task_id("a")));  // two Failed tasks are too many
  CHECK(w.status("b") == TaskStatus::kFailed);
  for (const char* id : {"c", "d"}) {
    CHECK(submit(id) == ErrorCode::kOk);
    w.result(1, w.take_only_assigned().second);
  }
  w.step();
  CHECK(w.task("c").fetched);  // so are two results
  CHECK(!w.task("d").fetched);
}

TEST_CASE("a draining dispatcher takes no new tasks and finishes the old ones") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  w.core.stop();
  CHECK(w.submit("u").code == ErrorCode::kDraining);
  w.from_client(msg::Drain{3, "", false});  // no operator keeps a process from ending
  CHECK(w.take_to_client<msg::Done>().size() == 1);
  CHECK(w.submit("u").code == ErrorCode::kDraining);
  CHECK(w.submit("t").code == ErrorCode::kOk);
  CHECK(!w.core.is_idle());
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.result(node, ref);
  CHECK(!w.core.is_idle());  // not yet fetched
  w.fetch("t");
  CHECK(w.core.is_idle());
}

TEST_CASE(
    "a result counts though its info has keys of wrong types: those are dropped and counted") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  const auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  const ValueMap info{{"run_ms", 1.5},           {"load_ms", -1},  {"error", 7}, {"exit_code", "x"},
                      {"content_type", Value()}, {"code", 70'000}, {"seed", 7.5}};
  w.from_node(node, msg::Result{{{ref, msg::Outcome::kOk, info, Blob("picture")}}});
  const auto acks = w.take_to_nodes<msg::ResultAck>();
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].second.code == ErrorCode::kOk);  // else it would be repeated for ever
  const auto delivered = w.take_delivered();
  REQUIRE(delivered.size() == 1);
  CHECK(delivered[0].data.view() == "picture");
  for (const char* key : {"run_ms", "load_ms", "error", "exit_code", "content_type", "code"})
    CHECK(!delivered[0].info.contains(key));
  CHECK(get_double(delivered[0].info, "seed") == 7.5);  // not ours to judge
  w.from_client(msg::StatsQuery{3});
  CHECK(get_uint(w.take_to_client<msg::Stats>().at(0).stats, "malformed_total") == 1);
  const auto is_told = [](const LogEvent& note) {
    return note.text == "keys of a result's info with wrong types were dropped";
  };
  REQUIRE(std::ranges::count_if(w.notes, is_told) == 1);

  w.submit("u");
  const auto [again, second] = w.take_only_assigned();
  w.ack(again, second);
  const ValueMap good{
      {"run_ms", 0},          {"load_ms", std::uint64_t{UINT64_MAX}}, {"exit_code", -9},
      {"error", "a warning"}, {"content_type", "image/png"},          {"code", 503}};
  w.from_node(again, msg::Result{{{second, msg::Outcome::kOk, good, Blob("picture")}}});
  const ValueMap told = w.take_delivered().at(0).info;
  for (const auto& [key, value] : good) CHECK(told.at(key) == value);
  CHECK(std::ranges::count_if(w.notes, is_told) == 1);
}

TEST_CASE("a node's info filled to the limit can still be delivered") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  ValueMap info{{"run_ms", 5}, {"content_type", "image/png"}};
  for (std::size_t i = 0; info.size() < limits::kMaxMapEntries; ++i)
    info["key" + std::to_string(i)] = std::string(100, 'x');
  w.from_node(node, msg::Result{{{ref, msg::Outcome::kOk, info, Blob("picture")}}});
  REQUIRE(w.status("t") == TaskStatus::kCompleted);
  auto delivered = w.take_delivered();
  REQUIRE(delivered.size() == 1);
  CHECK(get_uint(delivered[0].info, "run_ms") == 5);
  auto decoded = decode(Blob(encode(msg::Deliver{delivered})), Direction::kToClient);
  INFO((decoded ? "" : decoded.error().detail));
  CHECK(decoded);
}

TEST_CASE("one client's acknowledgement counts once the other that watches is gone") {
  World w;
  w.snapshot();
  w.join(1);
  w.submit("t1");
  w.from_client(msg::Watch{2, msg::WatchLevel::kResult, {task_id("t1")}}, "onlooker");
  w.result(1, w.take_only_assigned().second);
  w.fetch("t1");
  CHECK(!w.task("t1").fetched);  // the other still waits for it
  SECTION("its connection is found dead") { w.core.handle(ClientGone{"onlooker"}, w.now); }
  SECTION("it does not want it any more") {
    w.from_client(msg::Watch{3, msg::WatchLevel::kNone, {task_id("t1")}}, "onlooker");
  }
  SECTION("it has it, too") { w.fetch("t1", "onlooker"); }
  CHECK(w.task("t1").fetched);
  CHECK(w.task("t1").result.empty());
}

TEST_CASE("sixteen connections may watch a task: the oldest goes for one more") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t", {}, msg::WatchLevel::kNone);
  const auto peer = [](int i) { return "client-" + std::to_string(i); };
  for (int i = 0; i <= 16; ++i)
    w.from_client(msg::Watch{1, msg::WatchLevel::kResult, {task_id("t")}}, peer(i));
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.result(node, ref);
  CHECK(w.take_delivered(peer(0)).empty());
  for (int i = 1; i <= 16; ++i) CHECK(w.take_delivered(peer(i)).size() == 1);
}

TEST_CASE("so many kinds of tasks may wait at once") {
  World w;
  w.snapshot();
  TaskSpec spec;
  const auto submit = [&](int i) {
    spec.needs.ram_mib = static_cast<std::uint64_t>(i);
    return w.submit(std::to_string(i), spec).code;
  };
  for (int i = 0; i < 1024; ++i) REQUIRE(submit(i) == ErrorCode::kOk);
  CHECK(submit(1024) == ErrorCode::kQueueFull);
  // Of a kind that waits already there may be more, and one that is gone makes room.
  CHECK(w.submit("again", spec = {}).code == ErrorCode::kOk);
  w.cancel("7");
  CHECK(submit(5000) == ErrorCode::kOk);
}

TEST_CASE("what a node says of a result is held in bounded memory, and less of it once fetched") {
  World w;
  w.snapshot();
  w.join(1, 1);
  w.submit("t");
  const auto ref = w.take_to_nodes<msg::Assign>().at(0).second.ref;
  const ValueMap info{{"run_ms", 5}, {"nothing", ValueList(30'000)}, {"error", ValueList(10)}};
  w.from_node(1, msg::Result{{{ref, msg::Outcome::kOk, info, Blob(std::string("picture"))}}});
  CHECK(w.task("t").info.contains("run_ms"));
  CHECK(!w.task("t").info.contains("nothing"));
  CHECK(!w.task("t").info.contains("error"));

  w.submit("u");
  const auto next = w.take_to_nodes<msg::Assign>().at(0).second.ref;
  const ValueMap some{{"seed", 7}, {"content_type", "image/png"}};
  w.from_node(1, msg::Result{{{next, msg::Outcome::kOk, some, Blob(std::string("picture"))}}});
  CHECK(w.task("u").info.contains("seed"));
  w.from_client(msg::DeliverAck{{task_id("u")}});
  REQUIRE(w.task("u").fetched);
  CHECK(!w.task("u").info.contains("seed"));
  CHECK(get_string(w.task("u").info, "content_type") == "image/png");
}

TEST_CASE("the files of a bundle are kept as long as its data, and no longer") {
  World w;
  w.snapshot();
  w.join(1, 1);
  const auto result_with = [&](const char* task, msg::Outcome outcome, const Value& files) {
    TaskSpec spec;
    spec.max_attempts = 1;
    w.submit(task, spec);
    const auto ref = w.take_to_nodes<msg::Assign>().at(0).second.ref;
    // The rest of the info is too much, and goes.
    const ValueMap info{{"run_ms", 5}, {"files", files}, {"nothing", ValueList(2'000)}};
    w.from_node(1, msg::Result{{{ref, outcome, info, Blob(std::string("picture"))}}});
  };
  const auto list_of = [](std::size_t files, char last_key) {
    ValueMap file{{"name", std::string(40, 'n')}, {"bytes", 1}};
    for (char key = 'A'; key <= last_key; ++key) file.emplace(std::string(1, key), 1);
    return Value(ValueList(files, Value(file)));
  };
  const Value list = list_of(kMaxBundleFiles, 'C');
  result_with("t", msg::Outcome::kOk, list);
  CHECK(w.task("t").info.at("files") == list);
  CHECK(!w.task("t").info.contains("nothing"));
  const auto delivered = w.take_delivered();
  REQUIRE(delivered.size() == 1);
  CHECK(delivered[0].info.at("files") == list);
  w.from_client(msg::DeliverAck{{task_id("t")}});
  REQUIRE(w.task("t").fetched);
  CHECK(!w.task("t").info.contains("files"));

  int number = 0;
  const auto is_kept = [&](msg::Outcome outcome, const Value& files) {
    const std::string id = "u" + std::to_string(++number);
    result_with(id.c_str(), outcome, files);
    return w.task(id).info.contains("files");
  };
  CHECK(is_kept(msg::Outcome::kOk, list_of(110, 'z')));
  CHECK(!is_kept(msg::Outcome::kOk, list_of(130, 'z')));  // over 512 KiB
  CHECK(!is_kept(msg::Outcome::kOk, list_of(kMaxBundleFiles + 1, 'A')));
  CHECK(!is_kept(msg::Outcome::kOk, ValueList()));
  CHECK(!is_kept(msg::Outcome::kOk, ValueList{"a.png"}));
  CHECK(!is_kept(msg::Outcome::kOk, "a.png"));
  CHECK(!is_kept(msg::Outcome::kError, list_of(1, 'A')));
}

TEST_CASE("an error that a node tells is in its task and in no log") {
  World w;
  w.snapshot();
  w.join(1, 1);
  TaskSpec spec;
  spec.max_attempts = 2;
  w.submit("t", spec);
  for (int i = 0; i < 2; ++i) {
    const auto refs = w.take_to_nodes<msg::Assign>();
    w.error(1, refs.at(0).second.ref, "cannot draw: a secret prompt");
    w.run_for(1'300);
  }
  REQUIRE(w.status("t") == TaskStatus::kFailed);
  CHECK(get_string(w.task("t").info, "error").find("a secret prompt") != std::string::npos);
  CHECK(!w.notes.empty());
  for (const LogEvent& note : w.notes)
    for (const auto& [key, value] : note.fields)
      if (const auto* text = std::get_if<std::string>(&value.v))
        CHECK(text->find("secret") == std::string::npos);
}
