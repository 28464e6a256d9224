// The client's conversation: submissions, restarts, questions.
#include "tests/unit/client/talk.h"
#include "tools/client/convert.h"

using namespace genai;
using namespace genai::client;

TEST_CASE("a submission is answered, delivered and acknowledged") {
  Talk t;
  t.submit("a");
  auto submits = t.take<msg::Submit>();
  REQUIRE(submits.size() == 1);
  CHECK(t.take<msg::Ping>().size() == 1);  // learns the epoch
  t.accept(submits[0]);
  REQUIRE(t.told.verdicts.size() == 1);
  CHECK(t.told.verdicts[0].code == ErrorCode::kOk);
  t.receive(Talk::delivery("a"));
  CHECK(t.told.results.size() == 1);
  CHECK(t.take<msg::DeliverAck>().empty());  // not before the caller says so
  CHECK(t.core.open_tasks() == 0);
  t.acknowledge({"a"});
  CHECK(t.take<msg::DeliverAck>().at(0).ids == std::vector{id("a")});
  CHECK(t.core.next_deadline() == kNever);
}

TEST_CASE("an unanswered submit is sent again with the same content") {
  Talk t;
  t.submit("a");
  auto first = t.take<msg::Submit>().at(0);
  t.receive(msg::Pong{1, 7, 1000});
  t.advance(4'900);
  CHECK(t.take<msg::Submit>().empty());
  t.advance(200);
  auto again = t.take<msg::Submit>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].tasks.at(0).task_id == id("a"));
  CHECK(again[0].tasks[0].payload == first.tasks.at(0).payload);
}

TEST_CASE("a refusal ends the submission") {
  Talk t;
  t.submit("a");
  t.receive(msg::Accepted{t.take<msg::Submit>().at(0).request,
                          {{id("a"), ErrorCode::kQueueFull, "full"}}});
  REQUIRE(t.told.verdicts.size() == 1);
  CHECK(t.told.verdicts[0].code == ErrorCode::kQueueFull);
  CHECK(t.core.open_tasks() == 0);
}

TEST_CASE("an error to a whole submit refuses each of its tasks") {
  Talk t;
  t.submit("a");
  t.receive(msg::ErrorReply{t.take<msg::Submit>().at(0).request, ErrorCode::kBadField, "no"});
  REQUIRE(t.told.verdicts.size() == 1);
  CHECK(t.told.verdicts[0].code == ErrorCode::kBadField);
}

TEST_CASE("many submissions travel in batches within the limits") {
  Talk t;
  for (int i = 0; i < 10'000; ++i) t.add("t" + std::to_string(i), std::string(10, 'x'));
  t.turn();
  std::size_t tasks = 0;
  auto batches = t.take<msg::Submit>();
  CHECK(batches.size() == 3);
  for (const auto& batch : batches) {
    CHECK(batch.tasks.size() <= limits::kMaxBatchEntries);
    tasks += batch.tasks.size();
  }
  CHECK(tasks == 10'000);
}

TEST_CASE("large payloads travel alone and not all at once") {
  Talk t;
  for (int i = 0; i < 40; ++i) t.add("t" + std::to_string(i), std::string(1u << 20, 'x'));
  t.turn();
  auto batches = t.take<msg::Submit>();
  CHECK(batches.size() == 16);
  for (const auto& batch : batches) t.accept(batch);
  CHECK(t.take<msg::Submit>().size() == 16);
}

TEST_CASE(
    "a silent dispatcher is asked, then connected to anew, and open tasks are watched again") {
  Talk t;
  t.submit_accepted("a");
  t.take<msg::Ping>();
  t.advance(5'000);
  CHECK(t.take<msg::Ping>().size() == 1);
  CHECK(!t.told.reconnect);
  t.advance(5'000);
  CHECK(t.told.reconnect);
  CHECK(t.told.notices.size() == 1);
  auto watches = t.take<msg::Watch>();
  REQUIRE(watches.size() == 1);
  CHECK(watches[0].ids == std::vector{id("a")});
  t.advance(10'000);
  CHECK(t.told.reconnect);
  CHECK(t.told.notices.empty());  // said once
  t.receive(msg::Pong{1, 7, 1000});
  CHECK(t.told.notices.size() == 1);  // it answers again
}

TEST_CASE("what a restarted dispatcher forgot is submitted again") {
  Talk t;
  t.submit_accepted("a");
  t.receive(msg::Pong{1, 7, 1000});
  t.advance(5'000);
  t.receive(msg::Pong{9, 8, 1000});  // another epoch
  auto watch = t.take<msg::Watch>().at(0);
  t.receive(msg::Tasks{watch.request, {}, false});
  t.receive(msg::ErrorReply{watch.request, ErrorCode::kUnknownTask, "a"});
  auto again = t.take<msg::Submit>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].tasks.at(0).task_id == id("a"));
  t.accept(again[0]);
  t.receive(Talk::delivery("a"));
  CHECK(t.core.open_tasks() == 0);
}

TEST_CASE("what a restarted dispatcher forgot and then refuses ends with that reason") {
  for (const bool as_a_whole : {false, true}) {
    Talk t;
    t.submit_accepted("a");
    t.receive(msg::Pong{1, 7, 1000});
    t.advance(5'000);
    t.receive(msg::Pong{9, 8, 1000});
    t.receive(msg::Tasks{t.take<msg::Watch>().at(0).request, {}, false});
    const auto request = t.take<msg::Submit>().at(0).request;
    if (as_a_whole)
      t.receive(msg::ErrorReply{request, ErrorCode::kQueueFull, "full"});
    else
      t.receive(msg::Accepted{request, {{id("a"), ErrorCode::kQueueFull, "full"}}});
    CHECK(t.core.open_tasks() == 0);
    CHECK(t.told.verdicts.empty());
    REQUIRE(t.told.results.size() == 1);
    const auto& result = t.told.results[0];
    CHECK(result.status == TaskStatus::kFailed);
    CHECK(result.code == ErrorCode::kQueueFull);
  }
}

TEST_CASE("a connection that was renewed unnoticed is noticed by what the dispatcher watches") {
  Talk t;
  t.submit_accepted("a");
  t.receive(msg::Pong{1, 7, 1});
  CHECK(t.take<msg::Watch>().empty());
  t.receive(msg::Pong{2, 7, 0});
  CHECK(t.take<msg::Watch>().at(0).ids == std::vector{id("a")});
  t.receive(msg::Pong{3, 7, 0});  // the WATCH is on its way
  CHECK(t.take<msg::Watch>().empty());
}

TEST_CASE("a dispatcher that was restarted before its first PONG came is noticed too") {
  Talk t;
  t.submit_accepted("a");
  t.receive(msg::Pong{1, 8, 0});
  CHECK(t.take<msg::Watch>().size() == 1);
}

TEST_CASE("a watched task of somebody else that nobody knows ends with that reason") {
  Talk t;
  t.watch("x");
  t.turn();
  t.receive(msg::Pong{1, 7, 1000});
  t.receive(msg::Pong{2, 8, 1000});
  t.receive(msg::Tasks{t.take<msg::Watch>().at(0).request, {}, false});
  REQUIRE(t.told.results.size() == 1);
  CHECK(t.told.results[0].code == ErrorCode::kUnknownTask);
}

TEST_CASE("queries are repeated until answered and matched by their number") {
  Talk t;
  const auto stats = t.ask(msg::StatsQuery{});
  const auto nodes = t.ask(msg::NodesQuery{});
  t.turn();
  CHECK(t.take<msg::StatsQuery>().at(0).request == stats);
  t.advance(5'000);
  CHECK(t.take<msg::StatsQuery>().size() == 1);
  t.receive(msg::Stats{stats, {}});
  CHECK(t.told.replies.contains(stats));
  t.receive(msg::Stats{stats, {}});  // the answer to the repetition
  CHECK(t.told.replies.empty());
  t.receive(msg::ErrorReply{nodes, ErrorCode::kDraining, ""});
  CHECK(std::holds_alternative<msg::ErrorReply>(t.told.replies.at(nodes)));
  CHECK(t.core.next_deadline() == kNever);
}

TEST_CASE("the ACCEPTED of a replay is its reply, and no verdict on a submission") {
  Talk t;
  t.submit("a");
  const auto replay = t.ask(msg::Replay{0, {{id("old"), id("new")}}});
  t.turn();
  CHECK(t.take<msg::Replay>().at(0).request == replay);
  t.receive(msg::Accepted{replay, {{id("new"), {}, ""}}});
  CHECK(t.told.verdicts.empty());
  REQUIRE(t.told.replies.contains(replay));
  CHECK(std::get<msg::Accepted>(t.told.replies.at(replay)).verdicts.at(0).task_id == id("new"));
  t.receive(msg::Accepted{replay, {{id("new"), {}, ""}}});  // the answer to a repetition
  CHECK(t.told.verdicts.empty());
  CHECK(t.core.is_open(id("a")));
}

TEST_CASE("garbage from the dispatcher is noticed and changes nothing") {
  Talk t;
  t.submit_accepted("a");
  for (const char* bytes : {"", "\xc1", "\x92\x01\x63", "\x93\x01\x2c\x90"}) {
    t.core.handle(SessionCore::Frame{Blob(std::string(bytes))}, t.now);
    t.turn();
    CHECK(t.told.notices.size() == 1);
  }
  CHECK(t.core.open_tasks() == 1);
}

TEST_CASE("that answers were dropped is told, and they are asked for again") {
  Talk t;
  const auto number = t.ask(msg::StatsQuery{});
  t.turn();
  t.take<msg::StatsQuery>();
  t.receive(msg::ErrorReply{0, ErrorCode::kPeerFull, "17 answers were dropped"});
  REQUIRE(t.told.notices.size() == 1);
  CHECK(notice_from(t.told.notices[0]) ==
        "the dispatcher says: peer_full: 17 answers were dropped");
  t.advance(5'000);
  CHECK(t.take<msg::StatsQuery>().at(0).request == number);
}

TEST_CASE("a restart is noticed although the dispatcher keeps answering other questions") {
  Talk t;
  t.submit_accepted("a");
  t.receive(msg::Pong{1, 7, 1000});
  t.take<msg::Ping>();
  for (int i = 0; i < 6; ++i) {  // never silent for as long as a ping would take
    const auto number = t.ask(msg::StatsQuery{});
    t.advance(1'000);
    t.receive(msg::Stats{number, {}});
  }
  REQUIRE(t.take<msg::Ping>().size() == 1);
  t.receive(msg::Pong{9, 8, 1000});
  CHECK(t.take<msg::Watch>().size() == 1);
}

TEST_CASE("a busy client, which is never silent, learns of a restart and watches what is older") {
  Talk t;
  t.submit_accepted("old");
  t.receive(msg::Pong{1, 7, 1000});
  t.take<msg::Ping>();
  std::vector<msg::Watch> watches;
  int pings = 0;
  for (int i = 0; i < 120 && watches.empty(); ++i) {  // a task each 100 ms, answered at once
    const std::string name = "t" + std::to_string(i);
    t.submit_accepted(name);
    t.receive(Talk::delivery(name));
    t.acknowledge({name});
    t.advance(100);
    for (const auto& ping : t.take<msg::Ping>()) {
      ++pings;
      t.receive(msg::Pong{ping.request, 8, 1000});  // restarted meanwhile
    }
    watches = t.take<msg::Watch>();
  }
  CHECK(t.now.mono <= from_ms(1'000 + 5'200));
  CHECK(pings == 1);
  REQUIRE(watches.size() == 1);
  CHECK(watches[0].ids == std::vector{id("old")});
}

TEST_CASE("a busy client notices too that its connection was renewed unnoticed") {
  Talk t;
  t.submit_accepted("old");
  t.receive(msg::Pong{1, 7, 1});
  for (const char* name : {"a", "b", "c"}) {  // on the new connection, and with the caller still
    t.submit_accepted(name);
    t.receive(Talk::delivery(name));
  }
  t.receive(msg::Pong{2, 7, 4});
  CHECK(t.take<msg::Watch>().empty());  // all four: it is the old connection
  t.receive(msg::Pong{3, 7, 3});
  const auto watches = t.take<msg::Watch>();
  REQUIRE(watches.size() == 1);
  CHECK(watches[0].ids == std::vector{id("old")});
  t.acknowledge({"a", "b", "c"});
  CHECK(t.take<msg::DeliverAck>().at(0).ids.size() == 3);
}

TEST_CASE("deadlines are never in the past after a turn") {
  Talk t;
  t.submit_accepted("a");
  for (int i = 0; i < 200; ++i) {
    t.advance(517);
    CHECK(t.core.next_deadline() > t.now.mono);
    if (i % 7 == 0) t.receive(msg::Pong{1, 7, 1000});
  }
}

TEST_CASE("a task that nobody watches is kept until it is accepted, not longer") {
  Talk t;
  t.add("a", "p", msg::WatchLevel::kNone);
  t.turn();
  CHECK(t.core.open_tasks() == 1);
  t.accept(t.take<msg::Submit>().at(0));
  CHECK(t.told.verdicts.size() == 1);
  CHECK(t.core.open_tasks() == 0);
  CHECK(t.core.next_deadline() == kNever);
}

TEST_CASE("an open id keeps its content; the same content is sent again") {
  Talk t;
  t.submit_accepted("a");
  t.submit("a", "another prompt");
  REQUIRE(t.told.verdicts.size() == 1);
  CHECK(t.told.verdicts[0].code == ErrorCode::kIdConflict);
  CHECK(t.take<msg::Submit>().empty());
  CHECK(t.core.is_open(id("a")));
  t.submit("a");
  auto again = t.take<msg::Submit>();
  REQUIRE(again.size() == 1);
  t.accept(again[0]);
  CHECK(t.told.verdicts.at(0).code == ErrorCode::kOk);
  t.receive(Talk::delivery("a"));
  CHECK(t.told.results.size() == 1);
}

TEST_CASE("an error to a repeated submit does not end what was accepted meanwhile") {
  Talk t;
  t.submit("a");
  const auto first = t.take<msg::Submit>().at(0);
  t.receive(msg::Pong{1, 7, 1000});
  t.advance(5'100);
  const auto second = t.take<msg::Submit>().at(0);
  t.accept(first);
  t.receive(msg::ErrorReply{second.request, ErrorCode::kBadField, "no"});
  CHECK(t.told.verdicts.empty());
  CHECK(t.core.is_open(id("a")));
}

TEST_CASE("watching a task whose submission is unanswered does not stop the submission") {
  Talk t;
  t.submit("a");
  t.take<msg::Submit>();
  t.watch("a", msg::WatchLevel::kProgress);
  t.core.handle(SessionCore::Unknown{id("a")}, t.now);  // the dispatcher does not know it yet
  t.receive(msg::Pong{1, 7, 1000});
  t.advance(5'100);
  auto again = t.take<msg::Submit>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].watch == msg::WatchLevel::kProgress);
}

TEST_CASE("after a reconnect unaccepted submissions and open queries are sent again") {
  Talk t;
  t.submit("a");
  const auto stats = t.ask(msg::StatsQuery{});
  t.turn();
  t.take<msg::Submit>();
  t.take<msg::StatsQuery>();
  t.now.mono += from_ms(10'000);
  t.turn();
  CHECK(t.told.reconnect);
  CHECK(t.take<msg::Submit>().size() == 1);
  auto queries = t.take<msg::StatsQuery>();
  REQUIRE(!queries.empty());
  CHECK(queries[0].request == stats);
}

TEST_CASE("many forgotten tasks are one notice") {
  Talk t;
  for (const char* name : {"a", "b", "c"}) t.submit_accepted(name);
  t.receive(msg::Pong{1, 7, 1000});
  t.receive(msg::Pong{2, 8, 1000});
  auto watch = t.take<msg::Watch>().at(0);
  t.receive(msg::Tasks{watch.request, {{{"task_id", "b"}, {"status", "Sent"}}}, false});
  CHECK(t.told.notices.size() == 1);
  auto again = t.take<msg::Submit>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].tasks.size() == 2);
}

TEST_CASE("a submission that its answer does not name is sent again") {
  Talk t;
  t.add("a");
  t.add("b");
  t.turn();
  t.receive(msg::Accepted{t.take<msg::Submit>().at(0).request, {{id("a"), {}, ""}}});
  CHECK(t.take<msg::Submit>().empty());
  t.advance(5'000);
  const auto again = t.take<msg::Submit>();
  REQUIRE(again.size() == 1);
  REQUIRE(again[0].tasks.size() == 1);
  CHECK(again[0].tasks[0].task_id == id("b"));
}

TEST_CASE("a watch that a restarted dispatcher refuses is asked for again") {
  Talk t;
  t.submit_accepted("a");
  t.receive(msg::Pong{1, 7, 1});
  t.receive(msg::Pong{9, 8, 0});  // another epoch
  const auto watch = t.take<msg::Watch>().at(0);
  t.receive(msg::ErrorReply{watch.request, ErrorCode::kStoreFull, "the disk is full"});
  CHECK(t.told.replies.empty());  // nobody here asked
  t.advance(5'000);
  const auto again = t.take<msg::Watch>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].ids == std::vector{id("a")});
  t.receive(msg::Tasks{again[0].request, {{{"task_id", "a"}}}, false});
  t.receive(Talk::delivery("a"));
  t.advance(5'000);
  CHECK(t.take<msg::Watch>().empty());
}
