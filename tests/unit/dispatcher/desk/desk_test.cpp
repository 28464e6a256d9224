// The desk alone: what clients ask, what they are told, and what the desk wishes of the others.
#include "tests/unit/dispatcher/desk/office.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Office;
using genai::dispatcher::test::Wishes;

namespace {

using Ids = std::vector<std::string>;

template <class Verdicts>
std::vector<ErrorCode> codes(const Verdicts& verdicts) {
  std::vector<ErrorCode> codes;
  for (const auto& verdict : verdicts) codes.push_back(verdict.code);
  return codes;
}
using Codes = std::vector<ErrorCode>;

msg::StatusQuery query(std::size_t ids) {
  msg::StatusQuery query{1, {}};
  for (std::size_t i = 0; i < ids; ++i)
    query.ids.push_back(Office::id("unknown-" + std::to_string(i)));
  return query;
}

/// How many of these are answered before one is refused for its price.
template <class M>
std::size_t answered(Office& office, const M& message, const std::string& peer = "client") {
  for (std::size_t count = 0; count <= limits::kMaxAskedPerSecond; ++count) {
    office.ask(message, peer);
    const auto errors = office.replies_to<msg::ErrorReply>(peer);
    if (!errors.empty() && errors[0].code == ErrorCode::kSlowDown) return count;
  }
  FAIL("it is free");
  return 0;
}

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

// ---- prices

TEST_CASE("desk: a request costs the more the more it names") {
  Office office;
  const std::size_t of_one = answered(office, query(1));
  office.pass(2'000);
  const std::size_t of_many = answered(office, query(100));
  CHECK(of_many > 0);
  CHECK(of_many * 5 < of_one);
  CHECK(of_many * 100 <= limits::kMaxAskedPerSecond + 100);
}

TEST_CASE("desk: who has asked too much is refused whatever has a price, and not what is free") {
  Office office;
  office.submit("a");
  office.submit("failed");
  office.finish("failed", Step::kFail);
  answered(office, query(100));
  const std::vector<TaskId> ids{Office::id("a")};
  const std::vector<ClientRequest> priced = {
      msg::Watch{1, msg::WatchLevel::kResult, ids},
      msg::Cancel{1, ids},
      msg::Reprioritise{1, 9, ids},
      msg::Purge{1, {Office::id("failed")}},
      msg::Replay{1, {{Office::id("failed"), Office::id("again")}}},
      msg::StatusQuery{1, ids},
      msg::List{1, {}},
      msg::NodesQuery{1, false},
      msg::StatsQuery{1},
      msg::Drain{1, "", true},
  };
  for (const ClientRequest& message : priced) {
    office.ask(message);
    INFO("request of index " << message.index());
    CHECK(office.wishes.empty());
    CHECK(office.error() == ErrorCode::kSlowDown);
  }
  CHECK(office.submit("new").code == ErrorCode::kOk);
  office.ask(msg::DeliverAck{{Office::id("failed")}});
  CHECK(office.wishes == Wishes{"fetched failed"});
  office.ask(msg::Ping{1});
  CHECK(office.replies_to<msg::Pong>().size() == 1);
  // Others do not pay for it, and time does.
  office.ask(msg::StatusQuery{1, ids}, "modest");
  CHECK(office.replies_to<msg::Tasks>("modest").size() == 1);
  office.pass(1'000);
  office.ask(msg::Cancel{1, ids});
  CHECK(office.wishes == Wishes{"cancel a"});
}

TEST_CASE("desk: the connections of one key pay together") {
  Office office;
  office.who = Office::key("k1");
  answered(office, query(100), "first");
  office.ask(query(1), "second");
  CHECK(office.error("second") == ErrorCode::kSlowDown);
  office.who = Office::key("k2");
  office.ask(query(1), "third");
  CHECK(office.replies_to<msg::Tasks>("third").size() == 1);
}

// ---- lists

TEST_CASE(
    "desk: a LIST that looks at many tasks is answered in turns, which the loop is woken for") {
  Office office;
  const std::size_t count = 2 * Listings::kTurn + 10;
  for (std::size_t i = 0; i < count; ++i)
    office.submit("t-" + std::to_string(10'000 + i), {}, msg::WatchLevel::kNone);
  const std::string last = "t-" + std::to_string(10'000 + count - 1);
  office.ask(msg::Cancel{1, {Office::id(last)}});
  CHECK(office.desk.next_deadline() == kNever);
  const msg::List aborted{7, {{"status", "Aborted"}}};
  office.ask(aborted, "slow");
  CHECK(office.replies_to<msg::Tasks>("slow").empty());
  CHECK(office.desk.next_deadline() <= office.now.mono);
  SECTION("the answer comes, and once") {
    office.ask(aborted, "slow");  // it repeats itself while it waits
    CHECK(office.told.empty());
    std::size_t turns = 0;
    while (office.replies_to<msg::Tasks>("slow").empty()) {
      REQUIRE(++turns < 10);
      office.expire();
    }
    CHECK(turns > 1);
    const auto page = office.only_reply<msg::Tasks>("slow");
    CHECK(page.request == 7);
    CHECK(!page.more);
    REQUIRE(page.tasks.size() == 1);
    CHECK(get_string(page.tasks[0], "task_id") == last);
    CHECK(office.desk.next_deadline() == kNever);
  }
  SECTION("a second LIST of the same connection has to wait") {
    office.ask(msg::List{8, {}}, "slow");
    CHECK(office.error("slow") == ErrorCode::kSlowDown);
  }
  SECTION("a short one of another connection does not wait for it") {
    office.ask(msg::List{8, {{"limit", 5u}}}, "quick");
    const auto page = office.only_reply<msg::Tasks>("quick");
    CHECK(page.tasks.size() == 5);
    CHECK(page.more);
  }
  SECTION("two long ones both come to their end") {
    office.ask(msg::List{8, {{"status", "Aborted"}}}, "other");
    std::size_t answers = 0;
    for (int i = 0; i < 10; ++i) {
      office.expire();
      answers += office.replies_to<msg::Tasks>("slow").size();
      answers += office.replies_to<msg::Tasks>("other").size();
    }
    CHECK(answers == 2);
  }
  SECTION("whoever comes under the name of the connection with another key does not get it") {
    office.who = Office::key("k1");
    office.ask(aborted, "keyed");
    office.who = Office::key("k2");
    office.ask(msg::Ping{1}, "keyed");
    for (int i = 0; i < 10; ++i) {
      office.expire();
      CHECK(office.replies_to<msg::Tasks>("keyed").empty());
    }
  }
  SECTION("for a client that is gone nobody goes on looking") {
    office.leave("slow");
    CHECK(office.desk.next_deadline() == kNever);
    office.ask(msg::List{8, {{"limit", 5u}}}, "slow");  // it is back
    CHECK(office.only_reply<msg::Tasks>("slow").request == 8);
  }
  SECTION("a key that is revoked gets no answer") {
    office.who = Office::key("k1");
    office.ask(aborted, "keyed");
    office.revoke({"k1"});
    for (int i = 0; i < 10; ++i) {
      office.expire();
      CHECK(office.replies_to<msg::Tasks>("keyed").empty());
    }
  }
}

// ---- who waits for what

TEST_CASE("desk: a result is sent to each that watches, and its data goes when all have it") {
  Office office;
  office.submit("a", {}, msg::WatchLevel::kResult, "one");
  office.submit("a", {}, msg::WatchLevel::kResult, "two");
  CHECK(office.desk.is_idle());  // nothing is on its way
  office.finish("a");
  CHECK(!office.desk.is_idle());
  CHECK(office.results_to("one") == Ids{"a"});
  CHECK(office.results_to("two") == Ids{"a"});
  CHECK(office.all<desk_event::SendResult>()[0]->entry.data.view() == "picture");
  office.ask(msg::DeliverAck{{Office::id("a")}}, "one");
  CHECK(office.wishes.empty());
  office.ask(msg::DeliverAck{{Office::id("a")}}, "two");
  CHECK(office.wishes == Wishes{"fetched a"});
  CHECK(office.desk.is_idle());
}

TEST_CASE("desk: a result that nobody acknowledges is due again") {
  Office office;
  office.submit("a");
  office.finish("a");
  const Duration due = office.desk.next_deadline();
  CHECK(due == office.now.mono + office.limits.resend);
  office.now.mono = due - from_ms(1);
  office.expire();
  CHECK(office.results_to("client").empty());
  office.now.mono = due;
  office.expire();
  CHECK(office.results_to("client") == Ids{"a"});
  CHECK(office.desk.next_deadline() > due);
}

TEST_CASE("desk: a client that is gone is sent nothing, and nobody waits for it") {
  Office office;
  office.submit("a", {}, msg::WatchLevel::kProgress, "gone");
  SECTION("before the end of its task") {
    office.leave("gone");
    CHECK(office.desk.is_idle());
    office.finish("a");
    CHECK(office.results_to("gone").empty());
    CHECK(office.updates_to("gone").empty());
    CHECK(office.desk.next_deadline() == kNever);
    // Its result waits for whoever asks.
    office.ask(msg::Watch{1, msg::WatchLevel::kResult, {Office::id("a")}}, "back");
    office.expire();
    CHECK(office.results_to("back") == Ids{"a"});
  }
  SECTION("while its result is on the way") {
    office.finish("a");
    REQUIRE(office.results_to("gone") == Ids{"a"});
    office.leave("gone");
    CHECK(office.wishes.empty());  // it may not have it
    office.pass(60'000);
    office.expire();
    CHECK(office.results_to("gone").empty());
  }
  SECTION("when another one has the result already") {
    office.submit("a", {}, msg::WatchLevel::kResult, "other");
    office.finish("a");
    office.ask(msg::DeliverAck{{Office::id("a")}}, "other");
    CHECK(office.wishes.empty());
    office.leave("gone");
    CHECK(office.wishes == Wishes{"fetched a"});
  }
}

TEST_CASE("desk: clients of keys that are revoked are told so and forgotten") {
  Office office;
  office.who = Office::key("k1");
  office.submit("a", {}, msg::WatchLevel::kResult, "one");
  office.who = Office::key("k2");
  office.submit("b", {}, msg::WatchLevel::kResult, "two");
  office.revoke({"k1"});
  CHECK(office.error("one") == ErrorCode::kNotAllowed);
  CHECK(office.replies_to<msg::ErrorReply>("two").empty());
  office.finish("a");
  CHECK(office.results_to("one").empty());
  office.finish("b");
  CHECK(office.results_to("two") == Ids{"b"});
}

TEST_CASE("desk: who follows a task hears of its progress once for each tick, and never after") {
  Office office;
  office.submit("a", {}, msg::WatchLevel::kProgress, "follows");
  office.submit("a", {}, msg::WatchLevel::kResult, "waits");
  office.send(office.task("a"));
  for (int i = 1; i <= 5; ++i) office.progress("a", i / 10.0, "step " + std::to_string(i));
  office.expire();
  const auto updates = office.updates_to("follows");
  REQUIRE(updates.size() == 1);
  CHECK(updates[0].fraction == 0.5);
  CHECK(updates[0].text == "step 5");
  CHECK(updates[0].status == TaskStatus::kSent);
  CHECK(updates[0].node_id == "node");
  CHECK(office.updates_to("waits").empty());
  office.expire();
  CHECK(office.updates_to("follows").empty());
  office.progress("a", 0.9);
  office.finish("a");  // before the tick
  REQUIRE(office.updates_to("follows").size() == 1);
  CHECK(office.updates_to("follows")[0].status == TaskStatus::kCompleted);
  office.expire();
  CHECK(office.updates_to("follows").empty());
}

TEST_CASE("desk: PING says how many tasks the connection watches") {
  Office office;
  const auto watched = [&](const std::string& peer) {
    office.ask(msg::Ping{4}, peer);
    const auto pong = office.only_reply<msg::Pong>(peer);
    CHECK(pong.request == 4);
    CHECK(pong.epoch == Office::kEpoch);
    return pong.watched;
  };
  CHECK(watched("client") == 0);
  office.submit("a");
  office.submit("b");
  office.submit("c", {}, msg::WatchLevel::kNone);
  CHECK(watched("client") == 2);
  CHECK(watched("other") == 0);
  office.leave("client");
  CHECK(watched("client") == 0);
}

TEST_CASE("desk: whoever comes under the name of a connection with another key is somebody else") {
  Office office;
  office.who = Office::key("k1");
  office.submit("a");
  office.who = Office::key("k2");
  office.ask(msg::Ping{1});
  CHECK(office.only_reply<msg::Pong>().watched == 0);
  office.finish("a");
  CHECK(office.results_to("client").empty());
}
