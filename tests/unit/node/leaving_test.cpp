// Leaving: gracefully, by force, and without a broker.
#include "tests/unit/node/session.h"

namespace genai::node::test {
namespace {

using Refs = std::vector<AssignmentRef>;

const AssignmentRef kT1 = ref_of("t1");
const AssignmentRef kT2 = ref_of("t2");

/// kT1 runs, kT2 waits; all acknowledgements read.
Session busy() {
  Session s;
  s.join();
  s.assign(kT1);
  s.assign(kT2);
  s.sent.clear();
  s.take_started();
  return s;
}

TEST_CASE("an idle node says LEAVE and BYE and ends at GOODBYE") {
  Session s;
  s.join();
  s.leave();
  CHECK(s.next<msg::Leave>().reason == "test");
  s.next<msg::Bye>();
  CHECK(!s.end);
  s.say(msg::Goodbye{});
  REQUIRE(s.end);
  CHECK(s.end->kind == RunEnd::Kind::kLeft);
}

TEST_CASE("without a GOODBYE the node ends after 2 s") {
  Session s;
  s.join();
  s.leave();
  s.pass(1999);
  CHECK(!s.end);
  s.pass(1);
  CHECK(s.end);
}

TEST_CASE("a broker that has forgotten the session does not hold up its end") {
  Session s;
  s.join();
  s.leave();
  s.say_error(ErrorCode::kUnknownSession);
  CHECK(s.end);
}

TEST_CASE("waiting tasks are given back, the running one is finished, then BYE") {
  Session s = busy();
  s.leave();
  s.next<msg::Leave>();
  const auto returned = s.next_entry<msg::Result>();
  CHECK(returned.ref == kT2);
  CHECK(returned.outcome == msg::Outcome::kReturned);
  CHECK(!get_bool(returned.info, "started", true));
  CHECK(returned.data.empty());
  CHECK(s.take_stopped().empty());

  s.ack_result(kT2);
  s.pass(2000);
  CHECK(s.all<msg::Bye>().empty());
  s.finish(kT1);
  CHECK(s.next_entry<msg::Result>().outcome == msg::Outcome::kOk);
  CHECK(s.take_started().empty());
  s.ack_result(kT1);
  s.next<msg::Bye>();
}

TEST_CASE("a leaving node takes nothing new") {
  Session s = busy();
  s.leave();
  s.sent.clear();
  s.assign(ref_of("t3"));
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kNodeLeaving);
  CHECK(s.core.held() == Refs{kT1, kT2});
}

TEST_CASE("a leaving node drops an older attempt for a newer one that it refuses") {
  Session s = busy();
  s.leave();
  s.sent.clear();
  s.assign(ref_of("t1", 2));
  const auto ack = s.next_entry<msg::AssignAck>();
  CHECK(ack.ref == ref_of("t1", 2));
  CHECK(ack.code == ErrorCode::kNodeLeaving);
  CHECK(s.take_stopped() == Refs{kT1});
  CHECK(s.core.held() == Refs{kT2});
  s.finish(kT1);
  CHECK(s.all<msg::Result>().empty());
}

TEST_CASE("a leaving node refuses an older attempt than the held one as superseded") {
  Session s;
  s.join();
  s.assign(ref_of("t1", 2));
  s.leave();
  s.sent.clear();
  s.assign(kT1);
  CHECK(s.next_entry<msg::AssignAck>().code == ErrorCode::kSuperseded);
  CHECK(s.core.held() == Refs{ref_of("t1", 2)});
}

TEST_CASE("LEAVE is said again to a new session, before the tasks come back") {
  Session s = busy();
  s.leave();
  s.sent.clear();
  s.say_error(ErrorCode::kUnknownSession);
  CHECK(s.next<msg::Hello>().held == Refs{kT1, kT2});
  s.say(msg::Welcome{{}, 1000, 3000, 5000});
  s.next<msg::Leave>();
  CHECK(s.next_entry<msg::Result>().ref == kT2);
}

TEST_CASE("a leaving node waits for its results as long as it may, counted from the last end") {
  Session s = busy();
  s.leave();
  s.pass(100'000);  // it runs
  s.finish(kT1);
  s.pass(29'999);
  CHECK(!s.end);
  CHECK(s.all<msg::Bye>().empty());
  SECTION("they are taken") {
    s.ack_result(kT2);  // one by one: each begins the wait anew
    s.pass(20'000);
    s.ack_result(kT1);
    s.all<msg::Bye>();
    s.say(msg::Goodbye{});
    REQUIRE(s.end);
    CHECK(s.end->kind == RunEnd::Kind::kLeft);
  }
  SECTION("nobody takes them") {
    s.pass(1 + 2000);
    CHECK(s.all<msg::Bye>().size() == 1);
    s.say(msg::Goodbye{});
    REQUIRE(s.end);
    CHECK(s.end->kind == RunEnd::Kind::kGaveUp);
    CHECK(s.end->text.find("1 results") != std::string::npos);  // what was given back is no result
  }
}

TEST_CASE("SIGTERM while the broker is away: the end comes at a known time") {
  Session s = busy();
  s.say_error(ErrorCode::kUnknownSession);
  s.leave();
  SECTION("30 s after the last execution") {
    s.pass(50'000, false);
    s.finish(kT1);
    s.pass(29'999, false);
    CHECK(!s.end);
    s.pass(1, false);
    REQUIRE(s.end);
    CHECK(s.end->kind == RunEnd::Kind::kGaveUp);
  }
  SECTION("an execution that nobody could abort gets 10 min") {
    s.pass(599'999, false);
    CHECK(!s.end);
    s.pass(1, false);
    CHECK(s.take_stopped() == Refs{kT1});
    CHECK(s.end);
  }
  SECTION("it comes back in time") {
    s.finish(kT1);
    s.pass(29'000, false);
    s.say(msg::Welcome{{}, 1000, 3000, 5000});
    s.ack_result(kT1);
    s.ack_result(kT2);
    s.say(msg::Goodbye{});
    REQUIRE(s.end);
    CHECK(s.end->kind == RunEnd::Kind::kLeft);
  }
}

TEST_CASE("a leaving process does not fight for its name") {
  Session s = busy();
  s.leave();
  SECTION("its successor beats") {
    s.say_error(ErrorCode::kUnknownSession);
    s.say_error(ErrorCode::kNodeIdInUse);
  }
  SECTION("a broker of an earlier release says that it was replaced") {
    s.say_error(ErrorCode::kSessionReplaced);
  }
  REQUIRE(s.end);
  CHECK(s.end->kind == RunEnd::Kind::kLeft);  // as it was asked to: no failure
  CHECK(s.end->text.find("another process") != std::string::npos);
  CHECK(s.take_stopped() == Refs{kT1});
}

TEST_CASE("without a session a node that holds nothing ends at once") {
  Session s;
  s.tick();
  s.leave();
  CHECK(s.end);
}

TEST_CASE("without a session a node that holds results waits for the broker") {
  Session s = busy();
  s.say_error(ErrorCode::kUnknownSession);
  s.leave();
  s.pass(20'000);
  CHECK(!s.end);
  s.force();
  CHECK(s.end);
}

TEST_CASE("force gives everything back and says BYE when that is acknowledged") {
  Session s = busy();
  s.force();
  s.next<msg::Leave>();
  const auto returned = s.next<msg::Result>();
  REQUIRE(returned.entries.size() == 2);
  CHECK(returned.entries[0].ref == kT1);
  CHECK(returned.entries[0].outcome == msg::Outcome::kReturned);
  CHECK(get_bool(returned.entries[0].info, "started"));
  CHECK(returned.entries[1].ref == kT2);
  CHECK(s.take_stopped() == Refs{kT1});
  s.finish(kT1, TaskResult::error("killed"));  // says nothing any more
  CHECK(s.sent.empty());
  s.say(msg::ResultAck{{{kT1, ErrorCode::kOk}, {kT2, ErrorCode::kOk}}});
  s.next<msg::Bye>();
}

TEST_CASE("force after leave; without any answer it takes 4 s") {
  Session s = busy();
  s.leave();
  s.force();
  CHECK(s.take_stopped() == Refs{kT1});
  s.sent.clear();
  s.pass(1999);
  CHECK(s.all<msg::Bye>().empty());
  s.pass(1);
  CHECK(s.all<msg::Bye>().size() == 1);
  s.pass(2000);
  CHECK(s.end);
}

TEST_CASE("force acknowledges an abort that is under way") {
  Session s = busy();
  s.abort(kT1);
  s.force();
  s.next<msg::Leave>();
  CHECK(s.next_entry<msg::AbortAck>().outcome == msg::AbortOutcome::kStopped);
  CHECK(s.next_entry<msg::Result>().ref == kT2);
  CHECK(s.core.held() == Refs{kT2});
}

}  // namespace
}  // namespace genai::node::test
