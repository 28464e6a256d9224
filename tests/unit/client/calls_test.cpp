// Callbacks on virtual time; the test plays the dispatcher.
#include "tests/unit/client/play.h"

using namespace genai;
using namespace genai::client;
using namespace genai::client::test;

namespace {

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a task is told of once: its verdict, then its result") {
  Play play;
  play.submit(request_of("a"), play.noting());
  CHECK(play.heard.empty());  // never from inside the call
  play.accept(play.take_one<msg::Submit>());
  CHECK(play.hear() == Texts{"a is ok"});
  play.deliver("a");
  CHECK(play.hear() == Texts{"a ended ok"});
  play.deliver("a");
  CHECK(play.hear().empty());
  CHECK(play.calls.open_tasks() == 0);
  CHECK(play.take<msg::DeliverAck>().empty());
  play.calls.acknowledge({"a", "never heard of"}, play.now);
  CHECK(play.take_one<msg::DeliverAck>().ids == std::vector{id("a")});
}

TEST_CASE("a refusal is the end of the task, and says when to come again") {
  Play play;
  std::optional<TaskResult> result;
  TaskCallbacks callbacks = play.noting();
  callbacks.result = [&](TaskResult came) { result = std::move(came); };
  play.submit(request_of("a"), callbacks);
  play.accept(play.take_one<msg::Submit>(), ErrorCode::kOverQuota, 5000);
  CHECK(play.hear() == Texts{"a is over_quota"});
  REQUIRE(result);
  CHECK(result->refused);
  CHECK(result->status == Status::kFailed);
  CHECK(result->code == Errc::kOverQuota);
  CHECK(result->retry_after_ms == 5000);
  CHECK(play.calls.open_tasks() == 0);
}

TEST_CASE("updates come to a task that is watched for its progress") {
  Play play;
  play.submit(request_of("a"), play.noting(), Watch::kProgress);
  const auto submit = play.take_one<msg::Submit>();
  CHECK(submit.watch == msg::WatchLevel::kProgress);
  play.accept(submit);
  play.hear();
  play.receive(msg::Update{{{id("a"), TaskStatus::kSent, "n", 0.5, "half"}}});
  play.receive(msg::Update{{{id("b"), TaskStatus::kSent, "n", 0.5, "half"}}});
  CHECK(play.hear() == Texts{"a goes on"});
}

TEST_CASE("of a task that nobody watches only the verdict is told") {
  Play play;
  play.submit(request_of("a"), play.noting(), Watch::kNone);
  play.accept(play.take_one<msg::Submit>());
  play.deliver("a");
  CHECK(play.hear() == Texts{"a is ok"});
}

TEST_CASE("a request that cannot be sent fails at once, and with it the others of its batch") {
  Play play;
  TaskRequest wrong = request_of("b");
  wrong.model = std::string(129, 'm');
  std::vector<TaskRequest> requests{request_of("a"), wrong};
  const auto answer = play.calls.submit(requests, play.noting(), Watch::kResult, play.now);
  REQUIRE(!answer);
  CHECK(answer.failure().code == Errc::kBadField);
  CHECK(answer.failure().detail.find("model") != std::string::npos);
  const auto twins = play.calls.submit({request_of("a"), request_of("a")}, play.noting(),
                                       Watch::kResult, play.now);
  CHECK(twins.failure().code == Errc::kBadField);
  CHECK(play.take<msg::Submit>().empty());
  CHECK(play.heard.empty());
  CHECK(play.calls.open_tasks() == 0);
}

TEST_CASE("ids are made where none is given") {
  Play play;
  CHECK(play.submit(request_of(""), play.noting()) == "fresh-1");
  CHECK(play.take_one<msg::Submit>().tasks.at(0).task_id == id("fresh-1"));
}

TEST_CASE("the same request may be submitted twice, and both callers hear of it") {
  Play play;
  play.submit(request_of("a"), play.noting("first: "));
  play.accept(play.take_one<msg::Submit>());
  play.submit(request_of("a"), play.noting("second: "));
  play.accept(play.take_one<msg::Submit>());
  play.deliver("a");
  CHECK(play.hear() ==
        Texts{"first: a is ok", "second: a is ok", "first: a ended ok", "second: a ended ok"});
}

TEST_CASE("another content under an open id is refused and leaves the first one alone") {
  Play play;
  play.submit(request_of("a"), play.noting("first: "));
  play.accept(play.take_one<msg::Submit>());
  play.hear();
  play.submit(request_of("a", "another"), play.noting("second: "));
  play.turn();
  CHECK(play.hear() == Texts{"second: a is id_conflict", "second: a refused id_conflict"});
  play.deliver("a");
  CHECK(play.hear() == Texts{"first: a ended ok"});
}

TEST_CASE("callbacks may ask for more, which is due the next time") {
  Play play;
  int rounds = 0;
  TaskCallbacks again;
  again.result = [&](const TaskResult& result) {
    ++rounds;
    play.calls.acknowledge({result.id}, play.now);
    if (rounds < 3) play.submit(request_of("t" + std::to_string(rounds)), again);
  };
  play.submit(request_of("t0"), again);
  for (int i = 0; i < 3; ++i) {
    const auto submit = play.take_one<msg::Submit>();
    play.accept(submit);
    play.deliver(submit.tasks.at(0).task_id.str());
  }
  CHECK(rounds == 3);
  CHECK(play.take<msg::DeliverAck>().size() == 3);
  CHECK(play.calls.next_deadline() == kNever);
}

TEST_CASE("an exception of a callback comes out, and the callbacks behind it still come") {
  Play play;
  TaskCallbacks callbacks = play.noting();
  callbacks.verdict = [](const Verdict& verdict) {
    if (verdict.id == "a") throw std::runtime_error("enough");
  };
  play.submit(request_of("a"), callbacks);
  play.submit(request_of("b"), play.noting());
  const auto submit = play.take_one<msg::Submit>();
  msg::Accepted accepted{submit.request, {{id("a"), {}, ""}, {id("b"), {}, ""}}};
  play.calls.handle(Blob(encode(accepted)), play.now);
  CHECK_THROWS_AS(play.calls.call(), std::runtime_error);
  CHECK(play.calls.next_deadline() <= play.now.mono);
  play.turn();
  CHECK(play.hear() == Texts{"b is ok"});
}

TEST_CASE("a question is answered once, or ends after its time") {
  Play play({.timeout = Millis(7000)});
  play.calls.stats(play.noting_answer<Stats>("stats"), play.now);
  const auto first = play.take_one<msg::StatsQuery>();
  play.receive(msg::Stats{first.request, {}});
  CHECK(play.hear() == Texts{"stats ok"});
  play.receive(msg::Stats{first.request, {}});
  CHECK(play.hear().empty());

  play.calls.stats(play.noting_answer<Stats>("stats"), play.now);
  const auto second = play.take_one<msg::StatsQuery>();
  play.advance(6999);
  CHECK(play.hear().empty());
  CHECK(play.calls.next_deadline() == play.now.mono + from_ms(1));
  play.advance(1);
  CHECK(play.hear() == Texts{"stats timeout"});
  play.receive(msg::Stats{second.request, {}});
  CHECK(play.hear().empty());
  CHECK(play.calls.next_deadline() == kNever);
}

TEST_CASE("a timeout says whether the dispatcher was ever heard") {
  Play play;
  std::string detail;
  const auto ask = [&] {
    play.calls.ping([&](const Answer<std::uint64_t>& a) { detail = a.failure().detail; }, play.now);
    play.advance(10'000);
  };
  ask();
  CHECK(detail ==
        "no answer from tcp://127.0.0.1:7710 within 10 s: does it run, and does it ask "
        "for a key?");
  play.receive(msg::Pong{999, 7, 0});
  ask();
  CHECK(detail == "no answer from tcp://127.0.0.1:7710 within 10 s");
}

TEST_CASE("a refusal, and an answer to something else, are failures") {
  Play play;
  play.calls.drain("n", true, play.noting_answer<Done>("drain"), play.now);
  play.receive(msg::ErrorReply{play.take_one<msg::Drain>().request, ErrorCode::kUnknownNode, "n"});
  CHECK(play.hear() == Texts{"drain unknown_node"});
  play.calls.drain("n", true, play.noting_answer<Done>("drain"), play.now);
  play.receive(msg::Stats{play.take_one<msg::Drain>().request, {}});
  CHECK(play.hear() == Texts{"drain bad_answer"});
}

TEST_CASE("a question that cannot be sent is told so, from call() too") {
  Play play;
  play.calls.cancel({"a b"}, play.noting_answer<std::vector<Verdict>>("cancel"), play.now);
  play.calls.list({}, "", 0, play.noting_answer<TaskPage>("list"), play.now);
  play.calls.reprioritise({"a"}, 10, play.noting_answer<std::vector<Verdict>>("priority"),
                          play.now);
  play.calls.replay({{"a", "x"}, {"b", "x"}}, play.noting_answer<std::vector<Verdict>>("replay"),
                    play.now);
  play.calls.drain(std::string(65, 'n'), true, play.noting_answer<Done>("drain"), play.now);
  play.calls.watch({""}, {}, Watch::kResult, play.noting_answer<std::vector<TaskInfo>>("watch"),
                   play.now);
  CHECK(play.heard.empty());
  CHECK(play.calls.next_deadline() <= play.now.mono);
  play.turn();
  CHECK(play.hear() == Texts{"cancel bad_field", "list bad_field", "priority bad_field",
                             "replay bad_field", "drain bad_field", "watch bad_field"});
  CHECK(play.sent.empty());
}

TEST_CASE("many ids are asked about page by page, and answered as one") {
  Play play;
  std::vector<std::string> ids;
  for (int i = 0; i < 600; ++i) ids.push_back("t" + std::to_string(i));
  std::vector<Verdict> verdicts;
  play.calls.cancel(
      ids, [&](Answer<std::vector<Verdict>> a) { verdicts = std::move(*a); }, play.now);
  std::size_t pages = 0;
  for (auto asked = play.take<msg::Cancel>(); !asked.empty(); asked = play.take<msg::Cancel>()) {
    REQUIRE(asked.size() == 1);  // the next one after the answer
    CHECK(verdicts.empty());
    ++pages;
    msg::Cancelled reply{asked[0].request, {}};
    for (const TaskId& task : asked[0].ids) reply.verdicts.push_back({task, {}, ""});
    play.receive(reply);
  }
  CHECK(pages == 3);
  REQUIRE(verdicts.size() == 600);
  CHECK(verdicts[599].id == "t599");
}

TEST_CASE("a page that is refused ends the question") {
  Play play;
  std::vector<std::string> ids(300, "t");
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] += std::to_string(i);
  play.calls.purge(ids, play.noting_answer<std::vector<Verdict>>("purge"), play.now);
  play.receive(msg::ErrorReply{play.take_one<msg::Purge>().request, ErrorCode::kStoreFull, ""});
  CHECK(play.hear() == Texts{"purge store_full"});
  CHECK(play.take<msg::Purge>().empty());
}

TEST_CASE("of nothing nothing is asked") {
  Play play;
  play.calls.status({}, play.noting_answer<std::vector<TaskInfo>>("status"), play.now);
  play.turn();
  CHECK(play.hear() == Texts{"status ok"});
  CHECK(play.sent.empty());
}

TEST_CASE("watched tasks that the dispatcher does not know are not heard of again") {
  Play play;
  play.calls.watch({"a", "x"}, play.noting(), Watch::kResult,
                   play.noting_answer<std::vector<TaskInfo>>("watch"), play.now);
  const auto watch = play.take_one<msg::Watch>();
  CHECK(play.calls.open_tasks() == 2);
  play.receive(msg::Tasks{watch.request, {{{"task_id", "a"}}}, false});
  CHECK(play.hear() == Texts{"watch ok"});
  CHECK(play.calls.open_tasks() == 1);
  CHECK(!play.calls.is_open("x"));
  play.deliver("x");
  play.deliver("a");
  CHECK(play.hear() == Texts{"a ended ok"});
}

TEST_CASE("a submit of our own survives that a watch did not know its task yet") {
  Play play;
  play.submit(request_of("a"), play.noting("submit: "));
  const auto submit = play.take_one<msg::Submit>();
  play.calls.watch({"a"}, play.noting("watch: "), Watch::kResult, {}, play.now);
  play.receive(msg::Tasks{play.take_one<msg::Watch>().request, {}, false});
  play.accept(submit);
  play.deliver("a");
  CHECK(play.hear() == Texts{"submit: a is ok", "submit: a ended ok"});
}

TEST_CASE("a watch that has ended is silent, and its result stays") {
  Play play;
  play.submit(request_of("a"), play.noting());
  play.submit(request_of("b"), play.noting());
  play.accept(play.take_one<msg::Submit>());
  play.deliver("a");
  play.hear();
  play.calls.watch({"a", "b"}, {}, Watch::kNone, {}, play.now);
  for (const auto& watch : play.take<msg::Watch>()) {
    CHECK(watch.level == msg::WatchLevel::kNone);
    play.receive(msg::Tasks{watch.request, {{{"task_id", "a"}}, {{"task_id", "b"}}}, false});
  }
  play.calls.acknowledge({"a"}, play.now);
  play.deliver("b");
  CHECK(play.hear().empty());
  CHECK(play.take<msg::DeliverAck>().empty());
  CHECK(play.calls.open_tasks() == 0);
}

TEST_CASE("a restarted dispatcher's silence and return are told") {
  Play play;
  play.calls.on_notice([&](const std::string& text) { play.heard.push_back(text); });
  play.submit(request_of("a"), {});
  play.take<msg::Submit>();
  play.advance(10'000);
  CHECK(play.has_reconnected);
  CHECK(play.hear() == Texts{"no answer from the dispatcher: connecting anew"});
  CHECK(play.take<msg::Submit>().size() == 1);
}

TEST_CASE("the payload of a request is shared on its whole way to the frame") {
  Play play;
  const auto owner = std::make_shared<const std::string>("a large picture");
  TaskRequest request = request_of("a");
  request.payload = Data(owner, *owner);
  play.submit(request, {});
  CHECK(owner.use_count() == 3);  // ours, the request's, the submission's
  const auto submit = play.take_one<msg::Submit>();
  CHECK(submit.tasks.at(0).payload.view() == *owner);
  play.accept(submit);
  play.deliver("a");
  CHECK(owner.use_count() == 2);
}

TEST_CASE("a question does not overtake the submit before it") {
  Play play;
  play.submit(request_of("a"), play.noting());
  play.calls.cancel({"a"}, play.noting_answer<std::vector<Verdict>>("cancel"), play.now);
  play.turn();
  REQUIRE(play.sent.size() >= 2);
  CHECK(std::holds_alternative<msg::Submit>(play.sent[0]));
  CHECK(std::holds_alternative<msg::Cancel>(play.sent[1]));
}
