// The desk alone: what clients ask, what they are told, and what the desk wishes of the others.
#include "tests/unit/dispatcher/desk/office.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Office;
using genai::dispatcher::test::Wishes;

namespace {

template <class Verdicts>
std::vector<ErrorCode> codes(const Verdicts& verdicts) {
  std::vector<ErrorCode> codes;
  for (const auto& verdict : verdicts) codes.push_back(verdict.code);
  return codes;
}
using Codes = std::vector<ErrorCode>;

}  // namespace

// ---- requests of several entries

TEST_CASE("desk: each entry of a SUBMIT sees what the ones before it have changed") {
  Office office;
  SECTION("the same task again is the same task") {
    office.ask(
        msg::Submit{5, msg::WatchLevel::kNone, {Office::submission("a"), Office::submission("a")}});
    CHECK(office.wishes == Wishes{"accept a"});
    const auto reply = office.only_reply<msg::Accepted>();
    CHECK(reply.request == 5);
    CHECK(codes(reply.verdicts) == Codes{ErrorCode::kOk, ErrorCode::kOk});
  }
  SECTION("another task under its id is refused") {
    office.ask(
        msg::Submit{5,
                    msg::WatchLevel::kNone,
                    {Office::submission("a"), Office::submission("a", {}, "another prompt")}});
    CHECK(office.wishes == Wishes{"accept a"});
    CHECK(codes(office.only_reply<msg::Accepted>().verdicts) ==
          Codes{ErrorCode::kOk, ErrorCode::kIdConflict});
  }
  SECTION("what the first ones take is not there for the last") {
    office.limits.max_tasks = 2;
    office.ask(
        msg::Submit{5,
                    msg::WatchLevel::kNone,
                    {Office::submission("a"), Office::submission("b"), Office::submission("c")}});
    CHECK(office.wishes == Wishes{"accept a", "accept b"});
    const auto verdicts = office.only_reply<msg::Accepted>().verdicts;
    CHECK(codes(verdicts) == Codes{ErrorCode::kOk, ErrorCode::kOk, ErrorCode::kQueueFull});
    CHECK(verdicts[2].retry_after_ms > 0);
    CHECK(verdicts[2].task_id == Office::id("c"));
  }
}

TEST_CASE("desk: bytes and the quota of a tenant are counted from entry to entry") {
  PlacementPolicy policy;
  policy.quotas["acme"].max_queued = 1;
  Office office(policy);
  SECTION("the bytes of all") {
    office.limits.max_queued_bytes = 1'000;
    const std::string half(600, 'x');
    office.ask(msg::Submit{1,
                           msg::WatchLevel::kNone,
                           {Office::submission("a", {}, half), Office::submission("b", {}, half),
                            Office::submission("c", {}, "small")}});
    CHECK(codes(office.only_reply<msg::Accepted>().verdicts) ==
          Codes{ErrorCode::kOk, ErrorCode::kQueueFull, ErrorCode::kOk});
  }
  SECTION("the tasks of one tenant") {
    TaskSpec of_acme;
    of_acme.tenant = "acme";
    office.ask(msg::Submit{1,
                           msg::WatchLevel::kNone,
                           {Office::submission("a", of_acme), Office::submission("b", of_acme),
                            Office::submission("c")}});
    CHECK(codes(office.only_reply<msg::Accepted>().verdicts) ==
          Codes{ErrorCode::kOk, ErrorCode::kOverQuota, ErrorCode::kOk});
  }
}

TEST_CASE("desk: a task that is named twice is cancelled once") {
  Office office;
  office.submit("a");
  office.ask(msg::Cancel{3, {Office::id("a"), Office::id("unknown"), Office::id("a")}});
  CHECK(office.wishes == Wishes{"cancel a"});
  const auto reply = office.only_reply<msg::Cancelled>();
  CHECK(reply.request == 3);
  CHECK(codes(reply.verdicts) ==
        Codes{ErrorCode::kOk, ErrorCode::kUnknownTask, ErrorCode::kAlreadyTerminal});
  CHECK(reply.verdicts[2].detail == "Aborted");
}

TEST_CASE("desk: a task that is named twice gets another priority once") {
  Office office;
  office.submit("a");
  office.ask(msg::Reprioritise{3, 9, {Office::id("a"), Office::id("a")}});
  CHECK(office.wishes == Wishes{"reprioritise a"});
  CHECK(codes(office.only_reply<msg::Reprioritised>().verdicts) ==
        Codes{ErrorCode::kOk, ErrorCode::kOk});
  office.send(office.task("a"));
  office.ask(msg::Reprioritise{4, 1, {Office::id("a")}});
  CHECK(office.wishes.empty());
  CHECK(codes(office.only_reply<msg::Reprioritised>().verdicts) == Codes{ErrorCode::kNotQueued});
}

TEST_CASE("desk: only Failed tasks are purged, and each once") {
  Office office;
  office.submit("failed");
  office.submit("done");
  office.finish("failed", Step::kFail);
  office.finish("done");
  office.ask(msg::Purge{3, {Office::id("failed"), Office::id("done"), Office::id("failed")}});
  CHECK(office.wishes == Wishes{"purge failed"});
  CHECK(codes(office.only_reply<msg::Purged>().verdicts) ==
        Codes{ErrorCode::kOk, ErrorCode::kNotFailed, ErrorCode::kUnknownTask});
  CHECK(!office.knows("failed"));
}

TEST_CASE("desk: a Failed task is replayed under another id, however often that is asked") {
  Office office;
  office.submit("failed");
  office.finish("failed", Step::kFail);
  using Entry = msg::Replay::Entry;
  office.ask(msg::Replay{3,
                         {Entry{Office::id("failed"), Office::id("again")},
                          Entry{Office::id("failed"), Office::id("again")},
                          Entry{Office::id("failed"), Office::id("failed")},
                          Entry{Office::id("again"), Office::id("more")},
                          Entry{Office::id("unknown"), Office::id("more")}}});
  CHECK(office.wishes == Wishes{"accept again", "annotate failed"});
  const auto verdicts = office.only_reply<msg::Accepted>().verdicts;
  CHECK(codes(verdicts) == Codes{ErrorCode::kOk, ErrorCode::kOk, ErrorCode::kIdConflict,
                                 ErrorCode::kNotFailed, ErrorCode::kUnknownTask});
  CHECK(verdicts[0].task_id == Office::id("again"));
  CHECK(office.task("failed").status == TaskStatus::kFailed);
  CHECK(office.task("again").payload.view() == "prompt");
}

// ---- what is not taken

TEST_CASE("desk: a dispatcher that drains or stops takes no new tasks, and knows the old ones") {
  Office office;
  office.submit("old");
  const bool by_operator = GENERATE(true, false);
  if (by_operator)
    office.ask(msg::Drain{2, "", true});
  else
    office.desk.stop();
  CHECK(office.submit("new").code == ErrorCode::kDraining);
  CHECK(office.submit("old").code == ErrorCode::kOk);
  office.ask(msg::Drain{3, "", false});
  CHECK(office.only_reply<msg::Done>().request == 3);
  CHECK((office.submit("new").code == ErrorCode::kOk) == by_operator);
}

TEST_CASE("desk: only nodes that are known can be drained") {
  Office office;
  office.ask(msg::Drain{2, "node", true});
  REQUIRE(office.all<desk_event::DrainNode>().size() == 1);
  CHECK(office.all<desk_event::DrainNode>()[0]->node == Office::node());
  CHECK(office.all<desk_event::DrainNode>()[0]->on);
  CHECK(office.replies_to<msg::Done>().size() == 1);
  for (const char* target : {"stranger", "no id!"}) {
    office.ask(msg::Drain{2, target, true});
    CHECK(office.all<desk_event::DrainNode>().empty());
    CHECK(office.error() == ErrorCode::kUnknownNode);
  }
}

TEST_CASE("desk: while the disk is full only that is done which needs no disk") {
  Office office;
  office.submit("a");
  StoreReport report;
  report.state = StoreReport::State::kFull;
  office.desk.handle(report);
  CHECK(office.submit("new").code == ErrorCode::kStoreFull);
  office.ask(msg::Cancel{2, {Office::id("a")}});
  CHECK(office.wishes.empty());
  CHECK(office.error() == ErrorCode::kStoreFull);
  office.ask(msg::Ping{3});
  CHECK(office.replies_to<msg::Pong>().size() == 1);
  report.state = StoreReport::State::kOk;
  office.desk.handle(report);
  office.ask(msg::Cancel{2, {Office::id("a")}});
  CHECK(office.wishes == Wishes{"cancel a"});
}

TEST_CASE(
    "desk: while another dispatcher serves the nodes, watchers are told and nothing is taken") {
  Office office;
  office.submit("a", {}, msg::WatchLevel::kResult, "watches");
  office.submit("b", {}, msg::WatchLevel::kNone, "asks nothing");
  office.say(msg::ErrorReply{0, ErrorCode::kSuperseded, "another one"});
  CHECK(office.error("watches") == ErrorCode::kSuperseded);
  CHECK(office.replies_to<msg::ErrorReply>("asks nothing").empty());
  CHECK(office.submit("new").code == ErrorCode::kSuperseded);
  CHECK(office.submit("a").code == ErrorCode::kOk);
}

TEST_CASE("desk: what cannot be read is counted, and answered with a code") {
  Office office;
  office.ask_bytes("junk");
  CHECK(office.all<desk_event::Refused>().size() == 1);
  CHECK(office.error() == ErrorCode::kMalformed);
  office.desk.handle(ClientMalformed{"client", office.who}, office.now);
  CHECK(office.desk.has_events());
}

TEST_CASE("desk: who may not ask is told so, and nothing is done") {
  Office office;
  office.submit("a");
  office.who = Office::key("k");
  office.who.may_submit = false;
  office.ask(msg::Cancel{9, {Office::id("a")}});
  CHECK(office.wishes.empty());
  CHECK(office.error() == ErrorCode::kNotAllowed);
  CHECK(office.only_reply<msg::ErrorReply>().request == 9);
  CHECK(office.all<desk_event::Refused>().size() == 1);
}
