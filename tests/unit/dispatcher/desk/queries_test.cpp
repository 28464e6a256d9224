// What clients ask about tasks, nodes and the dispatcher: TASKS, NODE_LIST, STATS_REPLY, PONG.
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

TEST_CASE("ids that nobody knows are answered with an empty TASKS") {
  World w;
  w.snapshot();
  w.from_client(msg::StatusQuery{8, {task_id("unknown")}});
  auto tasks = w.take_to_client<msg::Tasks>();
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].request == 8);
  CHECK(tasks[0].tasks.empty());
  w.from_client(msg::Watch{9, msg::WatchLevel::kResult, {task_id("unknown")}});
  tasks = w.take_to_client<msg::Tasks>();
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].tasks.empty());
  CHECK(w.take_only_error() == ErrorCode::kUnknownTask);
  w.from_client(msg::List{10, {}});
  tasks = w.take_to_client<msg::Tasks>();
  REQUIRE(tasks.size() == 1);
  CHECK((tasks[0].tasks.empty() && !tasks[0].more));
}

TEST_CASE("list pages by id and filters by status") {
  World w;
  w.snapshot();
  for (const char* id : {"a", "b", "c"}) w.submit(id);
  w.cancel("b");
  w.from_client(msg::List{9, {{"limit", 2}}});
  auto page = w.take_to_client<msg::Tasks>().at(0);
  CHECK(page.tasks.size() == 2);
  CHECK(page.more);
  w.from_client(msg::List{9, {{"limit", 2}, {"after", "b"}}});
  page = w.take_to_client<msg::Tasks>().at(0);
  REQUIRE(page.tasks.size() == 1);
  CHECK(get_string(page.tasks[0], "task_id") == "c");
  CHECK(!page.more);
  w.from_client(msg::List{9, {{"status", "Aborted"}}});
  CHECK(w.take_to_client<msg::Tasks>().at(0).tasks.size() == 1);
}

TEST_CASE("a list of more tasks than a page says so, and offers the rest") {
  World w;
  w.snapshot();
  for (int i = 0; i < 150; ++i) w.submit(std::to_string(1000 + i));
  w.from_client(msg::List{9, {}});
  const auto first = w.take_to_client<msg::Tasks>().at(0);
  CHECK(first.tasks.size() == 100);
  CHECK(first.more);
  w.from_client(msg::List{9, {{"after", get_string(first.tasks.back(), "task_id")}}});
  const auto rest = w.take_to_client<msg::Tasks>().at(0);
  CHECK(rest.tasks.size() == 50);
  CHECK(!rest.more);
  CHECK(get_string(rest.tasks.front(), "task_id") == "1100");
  // A page that is just full is the last one.
  w.from_client(msg::List{9, {{"limit", 150}}});
  CHECK(!w.take_to_client<msg::Tasks>().at(0).more);
}

TEST_CASE("a filter of wrong type or range is refused, with the name of the key") {
  World w;
  w.snapshot();
  w.submit("t");
  const auto refusal = [&](ValueMap filter) {
    w.from_client(msg::List{9, std::move(filter)});
    const auto errors = w.take_to_client<msg::ErrorReply>();
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].request == 9);
    CHECK(errors[0].code == ErrorCode::kBadField);
    return errors[0].detail;
  };
  for (const Value& limit : {Value(0), Value(-1), Value(limits::kMaxBatchEntries + 1),
                             Value(UINT64_MAX), Value(10.0), Value("10"), Value()})
    CHECK(refusal({{"limit", limit}}).find("'limit'") != std::string::npos);
  for (const Value& after : {Value(7), Value("no id"), Value(""), Value(Bytes{"t"}), Value()})
    CHECK(refusal({{"after", after}}).find("'after'") != std::string::npos);
  for (const Value& status : {Value("Sleeping"), Value(""), Value(4), Value()})
    CHECK(refusal({{"status", status}}).find("'status'") != std::string::npos);
  CHECK(w.take_to_client<msg::Tasks>().empty());
  w.from_client(msg::List{9, {{"limit", 1}, {"colour", "red"}}});  // not known: ignored
  CHECK(w.take_to_client<msg::Tasks>().size() == 1);
}

TEST_CASE("whatever nodes say of them, as many tasks as can be asked for fit a frame") {
  constexpr std::size_t kTasks = 16;
  World w;
  w.snapshot({World::entry(1, kTasks)});
  const std::string long_text(limits::kMaxResultInfoBytes / 2, 'e');
  std::vector<TaskId> ids;
  for (std::size_t i = 0; i < kTasks; ++i) {
    ids.push_back(
        task_id("t" + std::string(limits::kMaxIdBytes - 3, '-') + std::to_string(10 + i)));
    TaskSpec spec;
    spec.label = std::string(limits::kMaxNameBytes, 'l');
    spec.tenant = std::string(limits::kMaxNameBytes, 't');
    w.submit(ids.back().str(), std::move(spec));
    const auto [node, ref] = w.take_only_assigned();
    w.ack(node, ref);
    w.from_node(node, msg::Result{{{ref, msg::Outcome::kOk, {{"error", long_text}}, {}}}});
  }
  w.step();
  w.from_client(msg::Watch{9, msg::WatchLevel::kProgress, ids});
  const auto pages = w.take_to_client<msg::Tasks>();
  REQUIRE(pages.size() == 1);
  REQUIRE(pages[0].tasks.size() == kTasks);
  CHECK(get_string(pages[0].tasks[0], "error").size() > limits::kMaxTextBytes / 2);
  const std::size_t each = encode(Message(pages[0])).size() / kTasks;
  CHECK(each * limits::kMaxBatchEntries < limits::kMaxFrameBytes);
}

TEST_CASE("nodes and stats tell what is there") {
  World w;
  w.snapshot({World::entry(1, 2)});
  w.complete("t");
  w.from_client(msg::NodesQuery{3});
  auto nodes = w.take_to_client<msg::NodeList>().at(0).nodes;
  REQUIRE(nodes.size() == 1);
  CHECK(get_string(nodes[0], "node_id") == "node-1");
  CHECK(get_string(nodes[0], "state") == "online");
  CHECK(get_uint(nodes[0], "slots") == 2);
  CHECK(get_uint(nodes[0], "completed_total") == 1);
  w.from_client(msg::StatsQuery{4});
  auto stats = w.take_to_client<msg::Stats>().at(0).stats;
  CHECK(get_uint(get_map(stats, "tasks"), "Completed") == 1);
  CHECK(get_uint(stats, "accepted_total") == 1);
  w.from_client(msg::Ping{8});
  const auto pong = w.take_to_client<msg::Pong>().at(0);
  CHECK(pong.epoch == World::kEpoch);
  CHECK(pong.watched == 1);
  w.fetch("t");
  w.from_client(msg::Ping{9});
  CHECK(w.take_to_client<msg::Pong>().at(0).watched == 0);
}
