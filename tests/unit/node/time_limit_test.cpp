// The time limit of an execution, on virtual time.
#include "tests/unit/node/session.h"

namespace genai::node::test {
namespace {

const AssignmentRef kT1 = ref_of("t1");

void assign(Session& session, std::uint64_t time_limit_ms, const AssignmentRef& ref = kT1) {
  TaskSpec spec;
  spec.time_limit_ms = time_limit_ms;
  session.say(msg::Assign{{{ref, make_spec(spec, {}), Blob(std::string("payload"))}}});
  REQUIRE(session.take_started().size() == 1);
  session.sent.clear();
}

void check_is_over_time(const msg::Result::Entry& result, const char* error) {
  CHECK(result.ref == kT1);
  CHECK(result.outcome == msg::Outcome::kError);
  CHECK(get_uint(result.info, "code") == 503);
  CHECK(get_string(result.info, "error") == error);
  CHECK(result.data.empty());
}

TEST_CASE("an execution is stopped at its time limit, and reported when it has ended") {
  Session s;
  s.join();
  assign(s, 2500);
  s.pass(2499);
  CHECK(s.take_stopped().empty());
  s.pass(1);
  CHECK(s.take_stopped() == std::vector{kT1});
  s.pass(10'000);
  CHECK(s.take_stopped().empty());  // once
  CHECK(s.all<msg::Result>().empty());
  s.assign(ref_of("t2"));
  CHECK(s.take_started().empty());  // its slot is busy
  s.sent.clear();
  s.finish(kT1, TaskResult::ok("half a picture"));
  const auto results = s.all<msg::Result>();
  REQUIRE(results.size() == 1);
  check_is_over_time(results[0].entries.at(0), "time limit of 2.5 s exceeded");
  CHECK(s.take_started() == std::vector{ref_of("t2")});
  CHECK(s.count(Event::Kind::kTaskFailed) == 1);
}

TEST_CASE("what a handler itself says of its time limit stands") {
  Session s;
  s.join();
  assign(s, 500);
  s.pass(500);
  s.finish(kT1, TaskResult::time_limit("stuck at step 7"));
  check_is_over_time(s.all<msg::Result>().at(0).entries.at(0), "stuck at step 7");
}

TEST_CASE("an execution that ends in time, or has no limit, is left alone") {
  Session s;
  s.join();
  assign(s, 500);
  s.pass(499);
  s.finish(kT1);
  CHECK(s.all<msg::Result>().at(0).entries.at(0).outcome == msg::Outcome::kOk);
  s.ack_result(kT1);
  assign(s, 0, ref_of("t2"));
  s.pass(3'600'000);
  CHECK(s.take_stopped().empty());
}

TEST_CASE("the limit holds while the broker is away") {
  Session s;
  s.join();
  assign(s, 20'000);
  s.pass(20'000, false);
  CHECK(s.take_stopped() == std::vector{kT1});
  s.finish(kT1, TaskResult::error("stopped"));
  s.sent.clear();
  s.say(msg::Welcome{{}, 1000, 2000, 5000});
  check_is_over_time(s.all<msg::Result>().at(0).entries.at(0), "time limit of 20 s exceeded");
}

TEST_CASE("an abort of what is over its time is acknowledged, without a result") {
  Session s;
  s.join();
  assign(s, 500);
  s.pass(500);
  CHECK(s.take_stopped().size() == 1);
  s.sent.clear();
  s.abort(kT1, ErrorCode::kTimeLimit);
  s.finish(kT1);
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kStopped);
  CHECK(s.all<msg::Result>().empty());
}

TEST_CASE("progress of what is over its time is not told") {
  Session s;
  s.join();
  assign(s, 500);
  s.core.handle(Report::Progress{kT1, 0.1, "begun"}, s.now);
  s.tick();
  CHECK(s.all<msg::Progress>().size() == 1);
  s.pass(500);
  s.core.handle(Report::Progress{kT1, 0.9, "nearly"}, s.now);
  s.tick();
  s.pass(200);
  CHECK(s.all<msg::Progress>().empty());
}

}  // namespace
}  // namespace genai::node::test
