// Assignments, aborts, progress and the spool.
#include <cmath>

#include "protocol/base/limits.h"
#include "tests/unit/node/session.h"
#include "tools/node/faults.h"

namespace genai::node::test {
namespace {

using Refs = std::vector<AssignmentRef>;
using Kind = Event::Kind;

const AssignmentRef kT1 = ref_of("t1");
const AssignmentRef kT2 = ref_of("t2");

Session joined(std::uint32_t slots = 1, std::vector<std::string> models = {}) {
  Session s(slots, std::move(models));
  s.join();
  return s;
}

/// Holds kT1, running, with its acknowledgement read.
Session running() {
  Session s = joined();
  s.assign(kT1);
  REQUIRE(s.next_entry<msg::AssignAck>().code == ErrorCode::kOk);
  REQUIRE(s.take_started() == Refs{kT1});
  return s;
}

Session finished() {
  Session s = running();
  s.finish(kT1);
  s.next_entry<msg::Result>();
  return s;
}

TEST_CASE("a task is held from its acknowledgement until its result is acknowledged") {
  Session s = running();
  s.pass(1000);
  CHECK(s.next<msg::Heartbeat>().held == Refs{kT1});
  s.finish(kT1, TaskResult::ok("picture", "image/png"));
  const auto result = s.next_entry<msg::Result>();
  CHECK(result.ref == kT1);
  CHECK(result.outcome == msg::Outcome::kOk);
  CHECK(result.data.view() == "picture");
  CHECK(get_uint(result.info, "run_ms") == 1000);
  CHECK(get_string(result.info, "content_type") == "image/png");
  CHECK(get_bool(result.info, "started"));
  s.pass(1000);
  CHECK(s.next<msg::Heartbeat>().held == Refs{kT1});
  s.ack_result(kT1);
  s.pass(1000);
  CHECK(s.next<msg::Heartbeat>().held.empty());
}

TEST_CASE("time of loading is told apart, and what is loaded with the next heartbeat") {
  Session s = running();
  s.pass(1000);
  s.next<msg::Heartbeat>();
  TaskResult done = TaskResult::ok("picture");
  done.load_ms = 700;
  done.loaded_models = {"flux"};
  s.finish(kT1, done);
  const auto result = s.next_entry<msg::Result>();
  CHECK(get_uint(result.info, "load_ms") == 700);
  CHECK(get_uint(result.info, "run_ms") == 300);
  s.pass(1000);
  CHECK(s.next<msg::Heartbeat>().loaded_models == std::vector<std::string>{"flux"});
}

TEST_CASE("nonsense about loading harms nobody") {
  Session s = running();
  TaskResult done = TaskResult::ok("picture");
  done.load_ms = 99'999;
  done.loaded_models = {std::string(129, 'm')};
  s.pass(100);
  s.finish(kT1, done);
  const auto result = s.next_entry<msg::Result>();
  CHECK(get_uint(result.info, "load_ms") == 100);
  CHECK(get_uint(result.info, "run_ms") == 0);
  s.pass(1000);
  CHECK(s.next<msg::Heartbeat>().loaded_models.empty());
}

TEST_CASE("every acknowledgement code of a result means: forget it") {
  const auto code = GENERATE(ErrorCode::kOk, ErrorCode::kResultDiscarded, ErrorCode::kUnknownTask);
  Session s = finished();
  s.ack_result(kT1, code);
  CHECK(s.core.held().empty());
}

TEST_CASE("an acknowledgement of a result that was not sent changes nothing") {
  Session s = running();
  s.ack_result(kT1);
  s.ack_result(kT2);
  CHECK(s.core.held() == Refs{kT1});
}

TEST_CASE("what arrived together is acknowledged together, in order") {
  Session s = joined(2);
  s.say(msg::Assign{{assignment_of(kT1), assignment_of(kT2), assignment_of(ref_of("t3"))}});
  const auto ack = s.next<msg::AssignAck>();
  REQUIRE(ack.entries.size() == 3);
  CHECK(ack.entries[0].ref == kT1);
  CHECK(ack.entries[2].ref == ref_of("t3"));
  CHECK(s.take_started() == Refs{kT1, kT2});  // as many as slots
  s.finish(kT2);
  CHECK(s.take_started() == Refs{ref_of("t3")});
}

TEST_CASE("a repeated ASSIGN is acknowledged again and not run twice") {
  Session s = running();
  s.assign(kT1);
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kOk);
  s.finish(kT1);
  s.next_entry<msg::Result>();
  s.assign(kT1);
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kOk);
  CHECK(s.take_started().empty());
  CHECK(s.core.held() == Refs{kT1});
}

TEST_CASE("a newer attempt takes the place of the old one, whose end is not told") {
  const auto newer = GENERATE(ref_of("t1", 2), ref_of("t1", 1, 8));
  Session s = running();
  s.assign(newer);
  CHECK(s.next_entry<msg::AssignAck>().ref == newer);
  CHECK(s.take_stopped() == Refs{kT1});
  CHECK(s.core.held() == Refs{newer});
  CHECK(s.take_started().empty());  // the slot is busy until the old one has ended
  s.finish(kT1);
  CHECK(s.sent.empty());
  CHECK(s.take_started() == Refs{newer});
  s.finish(newer);
  CHECK(s.next_entry<msg::Result>().ref == newer);
}

TEST_CASE("an older attempt than the held one is refused") {
  Session s = joined();
  s.assign(ref_of("t1", 2));
  s.next_entry<msg::AssignAck>();
  s.assign(kT1);
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kSuperseded);
  CHECK(s.core.held() == Refs{ref_of("t1", 2)});
}

TEST_CASE("beyond slots and queue: node_full") {
  Session s = joined(2);
  for (std::size_t i = 0; i < 2 + kMaxQueuedTasks; ++i) {
    s.assign(ref_of("q" + std::to_string(i)));
    REQUIRE(s.next_entry<msg::AssignAck>().code == ErrorCode::kOk);
  }
  s.assign(kT1);
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kNodeFull);
  s.finish(ref_of("q0"));  // its result does not take a place
  s.next_entry<msg::Result>();
  s.assign(kT1);
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kOk);
}

TEST_CASE("the spool is bounded: no more is taken than a HELLO may name") {
  Session s = joined();
  for (std::size_t i = 0; i < limits::kMaxHeld; ++i) {
    const auto ref = ref_of("q" + std::to_string(i));
    s.core.handle(SessionCore::Frame{Blob(encode(msg::Assign{{assignment_of(ref)}}))}, s.now);
    s.core.expire(s.now);
    s.core.handle(Report::Finished{ref, TaskResult::ok("r")}, s.now);
  }
  s.tick();
  s.sent.clear();
  s.assign(kT1);
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kNodeFull);
}

TEST_CASE("a model that is not in the list is refused; without a list none is") {
  Session s = joined(1, {"sdxl"});
  s.assign(kT1, "flux");
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kModelMissing);
  s.assign(kT1, "sdxl");
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kOk);
  s.assign(kT2);
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kOk);
  Session any = joined();
  any.assign(kT1, "flux");
  CHECK(any.next_entry<msg::AssignAck>().code == ErrorCode::kOk);
}

TEST_CASE("an error result carries its text and exit code") {
  Session s = running();
  s.finish(kT1, TaskResult::error("no memory", 3));
  const auto result = s.next_entry<msg::Result>();
  CHECK(result.outcome == msg::Outcome::kError);
  CHECK(get_string(result.info, "error") == "no memory");
  CHECK(get_uint(result.info, "exit_code") == 3);
  CHECK(result.data.empty());
  CHECK(s.count(Kind::kTaskFailed) == 1);
  for (const Event& event : s.events)
    if (event.kind == Kind::kTaskFailed) CHECK(event.exit_code == 3);
}

TEST_CASE("whatever a handler says fits the message") {
  Session s = running();
  s.finish(kT1, TaskResult::error(std::string(10'000, '\xff')));
  const auto error = get_string(s.next_entry<msg::Result>().info, "error");
  CHECK(error.size() <= limits::kMaxTextBytes);
  CHECK(error.size() > limits::kMaxTextBytes - 4);
}

TEST_CASE("a result over the limit becomes an error that says so") {
  Session s = running();
  s.finish(kT1, TaskResult::ok(std::string(kMaxResultBytes + 1, 'x')));
  const auto result = s.next_entry<msg::Result>();
  CHECK(result.outcome == msg::Outcome::kError);
  CHECK(get_string(result.info, "error").find("50331649") != std::string::npos);
  CHECK(get_uint(result.info, "code") == 505);
}

TEST_CASE("the code of an error goes with it, an ordinary error has none") {
  for (const auto& [result, code] : {std::pair(TaskResult::impossible("no"), 513),
                                     {TaskResult::time_limit("late"), 503},
                                     {TaskResult::too_large("big"), 505},
                                     {TaskResult::error("bad"), 0}}) {
    Session s = running();
    s.finish(kT1, result);
    const auto sent = s.next_entry<msg::Result>();
    CHECK(sent.outcome == msg::Outcome::kError);
    CHECK(get_uint(sent.info, "code") == static_cast<std::uint64_t>(code));
    CHECK(sent.info.contains("code") == (code != 0));
  }
}

TEST_CASE("what a node cannot run is given back with the reason") {
  Session s = running();
  s.finish(kT1, TaskResult::returned("the disk is full"));
  const auto result = s.next_entry<msg::Result>();
  CHECK(result.outcome == msg::Outcome::kReturned);
  CHECK(get_string(result.info, "error") == "the disk is full");
  CHECK(get_uint(result.info, "code") == 514);
  CHECK(s.count(Kind::kTaskReturned) == 1);
  CHECK(s.count(Kind::kTaskFailed) == 0);
  s.ack_result(kT1);
  CHECK(s.core.held().empty());
}

TEST_CASE("a result of exactly the limit is sent, and again later than a small one") {
  Session s = running();
  s.finish(kT1, TaskResult::ok(std::string(kMaxResultBytes, 'x')));
  CHECK(s.next_entry<msg::Result>().data.size() == kMaxResultBytes);
  s.pass(52'000);
  CHECK(s.all<msg::Result>().empty());
  s.pass(1000);
  CHECK(s.all<msg::Result>().size() == 1);
}

TEST_CASE("an unacknowledged result is sent again every 5 s") {
  Session s = finished();
  s.pass(4999);
  CHECK(s.all<msg::Result>().empty());
  s.pass(1);
  CHECK(s.all<msg::Result>().size() == 1);
  s.pass(5000);
  CHECK(s.all<msg::Result>().size() == 1);
  s.ack_result(kT1);
  s.pass(10'000);
  CHECK(s.all<msg::Result>().empty());
}

TEST_CASE("told to keep what has finished, a node sends the result at once") {
  Session s = finished();
  s.say(msg::Keep{{kT1}});
  CHECK(s.next_entry<msg::Result>().ref == kT1);
  s.say(msg::Keep{{kT2}});
  CHECK(s.sent.empty());
  s.pass(4999);
  CHECK(s.all<msg::Result>().empty());  // its own time began anew
}

TEST_CASE("after a WELCOME all results in the spool are sent at once") {
  Session s = finished();
  s.say_error(ErrorCode::kUnknownSession);
  CHECK(s.next<msg::Hello>().held == Refs{kT1});
  s.pass(500);
  CHECK(s.sent.empty());
  s.say(msg::Welcome{{}, 1000, 3000, 5000});
  CHECK(s.next_entry<msg::Result>().ref == kT1);
  s.say(msg::Welcome{{}, 1000, 3000, 5000});  // of a HELLO that was sent twice
  CHECK(s.sent.empty());
}

TEST_CASE("what ends while there is no session is told after the next WELCOME") {
  Session s = running();
  s.say_error(ErrorCode::kUnknownSession);
  CHECK(s.next<msg::Hello>().held == Refs{kT1});
  s.finish(kT1);
  CHECK(s.sent.empty());
  s.say(msg::Welcome{{}, 1000, 3000, 5000});
  CHECK(s.next_entry<msg::Result>().ref == kT1);
}

TEST_CASE("abort of what is not held") {
  Session s = running();
  s.abort(kT2);
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kNotHeld);
  s.abort(ref_of("t1", 2));  // another attempt is another thing
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kNotHeld);
  CHECK(s.core.held() == Refs{kT1});
}

TEST_CASE("abort of a waiting task") {
  Session s = running();
  s.assign(kT2);
  s.next_entry<msg::AssignAck>();
  s.abort(kT2);
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kStopped);
  CHECK(s.core.held() == Refs{kT1});
  s.finish(kT1);
  CHECK(s.take_started().empty());
}

TEST_CASE("abort of a running task is acknowledged when it has ended, and nothing else is said") {
  Session s = running();
  s.abort(kT1);
  CHECK(s.take_stopped() == Refs{kT1});
  s.core.handle(Report::Progress{kT1, 0.5, "late"}, s.now);
  s.abort(kT1);   // repeated
  s.assign(kT1);  // a leftover
  CHECK(s.sent.empty());
  CHECK(s.take_stopped().empty());
  CHECK(s.core.held() == Refs{kT1});
  s.finish(kT1, TaskResult::ok("all the same"));
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kStopped);
  CHECK(s.events.back().text == "cancelled");
  CHECK(s.core.held().empty());
  s.pass(20'000);
  CHECK(s.all<msg::Result>().empty());
}

TEST_CASE("abort of a finished task: its result stands") {
  Session s = finished();
  s.abort(kT1);
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kFinished);
  CHECK(s.core.held() == Refs{kT1});
}

TEST_CASE("taken back: a waiting task is dropped, the running one goes on") {
  Session s = running();
  s.assign(kT2);
  s.next_entry<msg::AssignAck>();
  s.abort(kT2, ErrorCode::kTakenBack);
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kStopped);
  CHECK(s.core.held() == Refs{kT1});
  s.abort(kT1, ErrorCode::kTakenBack);
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kStarted);
  CHECK(s.take_stopped().empty());
  s.finish(kT1);
  CHECK(s.next_entry<msg::Result>().outcome == msg::Outcome::kOk);
  CHECK(s.take_started().empty());
}

TEST_CASE("taken back: what has finished, is unknown or is being stopped is answered as ever") {
  Session s = finished();
  s.abort(kT1, ErrorCode::kTakenBack);
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kFinished);
  CHECK(s.core.held() == Refs{kT1});
  s.abort(kT2, ErrorCode::kTakenBack);
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kNotHeld);
  s.assign(kT2);
  s.next_entry<msg::AssignAck>();
  s.abort(kT2);
  s.abort(kT2, ErrorCode::kTakenBack);
  CHECK(s.sent.empty());
  s.finish(kT2);
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kStopped);
}

TEST_CASE("an aborted task that ends while there is no session is not held any more") {
  Session s = running();
  s.abort(kT1);
  s.say_error(ErrorCode::kUnknownSession);
  CHECK(s.next<msg::Hello>().held == Refs{kT1});
  s.finish(kT1);
  s.pass(1000);
  CHECK(s.next<msg::Hello>().held.empty());
}

TEST_CASE("progress: ten a second, the latest always") {
  Session s = running();
  for (int i = 0; i < 50; ++i) {
    s.core.handle(Report::Progress{kT1, i / 100.0, std::to_string(i)}, s.now);
    s.tick();
    s.pass(10);
  }
  s.pass(100);
  const auto sent = s.all<msg::Progress>();
  CHECK(sent.size() == 6);
  CHECK(sent.front().entries[0].text == "0");
  CHECK(sent.back().entries[0].text == "49");
  CHECK(sent.back().entries[0].fraction == Approx(0.49));
}

TEST_CASE("progress is clamped and clipped") {
  const auto [given, sent] =
      GENERATE(table<double, double>({{-1, 0}, {2, 1}, {std::nan(""), 0}, {INFINITY, 1}}));
  Session s = running();
  s.core.handle(Report::Progress{kT1, given, std::string(5000, 'x')}, s.now);
  s.tick();
  const auto entry = s.next_entry<msg::Progress>();
  CHECK(entry.fraction == sent);
  CHECK(entry.text.size() == limits::kMaxTextBytes);
}

TEST_CASE("drop: acknowledged, not held, no word") {
  Session s = running();
  s.finish(kT1, dropped());
  CHECK(s.sent.empty());
  s.pass(1000);
  CHECK(s.next<msg::Heartbeat>().held.empty());
  s.assign(kT2);
  s.next_entry<msg::AssignAck>();
  s.core.handle(SessionCore::Drop{kT2}, s.now);
  s.tick();
  CHECK(s.take_stopped() == Refs{kT2});
  CHECK(s.core.held().empty());
  s.finish(kT2);
  CHECK(s.sent.empty());
}

}  // namespace
}  // namespace genai::node::test
