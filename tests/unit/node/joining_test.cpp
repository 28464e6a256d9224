// HELLO, heartbeats, silence and reconnecting.
#include "tests/unit/node/session.h"

namespace genai::node::test {
namespace {

using Refs = std::vector<AssignmentRef>;
using Kind = Event::Kind;

TEST_CASE("HELLO goes out at once and again every heartbeat until WELCOME") {
  Session s(3, {"sdxl"});
  s.tick();
  const auto hello = s.next<msg::Hello>();
  CHECK(hello.node_id.str() == "n1");
  CHECK(hello.session == session_of(9));
  CHECK(hello.meta.slots == 3);
  CHECK(hello.meta.models == std::vector<std::string>{"sdxl"});
  CHECK(hello.held.empty());

  s.pass(999);
  CHECK(s.sent.empty());
  s.pass(1);
  s.next<msg::Hello>();
  s.say(msg::Welcome{{}, 200, 500, 900});
  s.pass(150);
  CHECK(s.sent.empty());
  CHECK(s.count(Kind::kJoined) == 1);
}

TEST_CASE("a HELLO that the transport does not take is tried again soon, then less often") {
  Session s;
  s.tick();
  s.next<msg::Hello>();
  std::vector<std::uint64_t> waits;
  for (int i = 0; i < 4; ++i) {
    s.core.handle(SessionCore::Unsent{}, s.now);
    const Duration due = s.core.next_deadline();
    waits.push_back(to_ms(due - s.now.mono));
    s.pass(waits.back());
    s.next<msg::Hello>();
  }
  CHECK(waits == std::vector<std::uint64_t>{20, 40, 80, 160});
}

TEST_CASE("heartbeats have the broker's interval, growing numbers and the loaded models") {
  Session s;
  s.join(200);
  s.pass(199);
  CHECK(s.sent.empty());
  s.pass(1);
  CHECK(s.next<msg::Heartbeat>().seq == 1);
  s.tell(Report::LoadedModels{{"sdxl"}});
  s.pass(400);
  const auto beats = s.all<msg::Heartbeat>();
  REQUIRE(beats.size() == 2);
  CHECK(beats[0].seq == 2);
  CHECK(beats[1].seq == 3);
  CHECK(beats[1].loaded_models == std::vector<std::string>{"sdxl"});
}

TEST_CASE("a late loop sends one heartbeat, not those it missed") {
  Session s;
  s.join(100, 5000);
  s.now.mono += from_ms(1000);
  s.tick();
  CHECK(s.all<msg::Heartbeat>().size() == 1);
}

TEST_CASE("after lost_ms of silence: a fresh connection, the same session, what is held") {
  Session s;
  s.join(1000, 5000);
  s.assign(ref_of("t1"));
  s.all<msg::Heartbeat>();
  s.pass(4999, false);
  CHECK(s.reconnects == 0);
  s.all<msg::Heartbeat>();
  s.pass(1, false);
  CHECK(s.reconnects == 1);
  const auto hello = s.next<msg::Hello>();
  CHECK(hello.session == session_of(9));
  CHECK(hello.held == Refs{ref_of("t1")});
  CHECK(s.take_stopped().empty());  // it goes on executing
  CHECK(s.count(Kind::kReconnecting) == 1);

  s.pass(20'000, false);  // the broker is away: it goes on trying
  CHECK(s.reconnects == 5);
  s.say(msg::Welcome{{}, 1000, 3000, 5000});
  CHECK(s.core.joined());
}

TEST_CASE("any message of the broker counts as life") {
  Session s;
  s.join(1000, 5000);
  for (int i = 0; i < 4; ++i) {
    s.pass(4000, false);
    s.say(msg::Keep{{ref_of("t1")}});
  }
  CHECK(s.reconnects == 0);
}

TEST_CASE("a process that did not run itself waits before it judges") {
  Session s;
  s.join(1000, 5000);
  s.pass(1000);
  s.now.mono += from_ms(60'000);  // stopped, then continued
  s.tick();
  CHECK(s.reconnects == 0);
  s.pass(5000, false);
  CHECK(s.reconnects == 1);
}

TEST_CASE("a broker that cannot be reached is told at once and once a minute") {
  Session s;
  s.pass(5000);
  CHECK(s.count(Kind::kNoBroker) == 1);
  s.pass(50'000);
  CHECK(s.count(Kind::kNoBroker) == 1);
  s.pass(60'000);
  CHECK(s.count(Kind::kNoBroker) == 2);
}

TEST_CASE("unknown_session: HELLO at once with the same session on the same connection") {
  Session s;
  s.join();
  s.assign(ref_of("t1"));
  s.all<msg::AssignAck>();
  s.say_error(ErrorCode::kUnknownSession);
  const auto hello = s.next<msg::Hello>();
  CHECK(hello.session == session_of(9));
  CHECK(hello.held == Refs{ref_of("t1")});
  CHECK(s.reconnects == 0);
  // Answers to what had been on the way add nothing.
  s.say_error(ErrorCode::kUnknownSession);
  CHECK(s.sent.empty());
}

TEST_CASE("session_replaced ends the node and its executions") {
  Session s;
  s.join();
  s.assign(ref_of("t1"));
  s.sent.clear();
  s.say_error(ErrorCode::kSessionReplaced);
  REQUIRE(s.end);
  CHECK(s.end->kind == RunEnd::Kind::kSessionReplaced);
  CHECK(s.end->text.find("n1") != std::string::npos);
  CHECK(s.take_stopped() == Refs{ref_of("t1")});
  CHECK(s.sent.empty());
  CHECK(s.core.next_deadline() == kNever);
  // Its executions end after it, and nothing is left of them.
  s.finish(ref_of("t1"), TaskResult::ok(""));
  CHECK(s.core.held().empty());
}

TEST_CASE("too_many_nodes is retried with a growing pause up to 30 s") {
  Session s;
  s.tick();
  s.next<msg::Hello>();
  std::vector<std::uint64_t> pauses;
  for (int i = 0; i < 7; ++i) {
    s.say_error(ErrorCode::kTooManyNodes);
    const Duration refused_at = s.now.mono;
    while (s.sent.empty()) s.pass(to_ms(s.core.next_deadline() - s.now.mono));
    s.next<msg::Hello>();
    pauses.push_back(to_ms(s.now.mono - refused_at));
  }
  CHECK(pauses == std::vector<std::uint64_t>{1000, 2000, 4000, 8000, 16000, 30000, 30000});
  CHECK(s.reconnects == 0);
  s.say(msg::Welcome{{}, 1000, 3000, 5000});
  CHECK(s.core.joined());
}

TEST_CASE("a joined node whose key is revoked asks with growing pauses, and is told of once") {
  Session s;
  s.join();
  s.assign(ref_of("t1"));
  s.events.clear();
  std::vector<std::uint64_t> pauses;
  for (int i = 0; i < 3; ++i) {
    s.sent.clear();
    s.say_error(ErrorCode::kNotAllowed);
    CHECK(!s.core.joined());
    const Duration refused_at = s.now.mono;
    while (s.sent.empty()) s.pass(to_ms(s.core.next_deadline() - s.now.mono));
    CHECK(s.next<msg::Hello>().held == std::vector{ref_of("t1")});
    pauses.push_back(to_ms(s.now.mono - refused_at));
  }
  CHECK(pauses == std::vector<std::uint64_t>{1000, 2000, 4000});
  CHECK(s.count(Kind::kRefused) == 1);
  s.say(msg::Welcome{{}, 1000, 3000, 5000});
  CHECK(s.core.joined());
}

TEST_CASE("a node whose name is in use asks again and again, soon after the other has left") {
  Session s;
  s.tick();
  s.next<msg::Hello>();
  std::vector<std::uint64_t> pauses;
  for (int i = 0; i < 7; ++i) {
    s.say_error(ErrorCode::kNodeIdInUse);
    const Duration refused_at = s.now.mono;
    while (s.sent.empty()) s.pass(to_ms(s.core.next_deadline() - s.now.mono));
    s.next<msg::Hello>();
    pauses.push_back(to_ms(s.now.mono - refused_at));
  }
  CHECK(pauses == std::vector<std::uint64_t>{200, 400, 800, 1600, 3200, 5000, 5000});
  CHECK(!s.end);
  s.say(msg::Welcome{{}, 1000, 3000, 5000});
  CHECK(s.core.joined());
}

TEST_CASE("a refusal that goes on is told of once a minute, another one at once") {
  Session s;
  s.tick();
  const auto refuse_for = [&](ErrorCode code, int seconds) {
    s.events.clear();
    for (int i = 0; i < seconds; ++i) {
      s.say_error(code);
      s.pass(1000);
    }
    return s.count(Kind::kRefused);
  };
  CHECK(refuse_for(ErrorCode::kNodeIdInUse, 59) == 1);
  CHECK(s.events.front().text.find("node_id_in_use") != std::string::npos);
  CHECK(refuse_for(ErrorCode::kNodeIdInUse, 120) == 2);
  CHECK(refuse_for(ErrorCode::kTooManyNodes, 30) == 1);
}

TEST_CASE("a node that lost its name while it was silent goes on with what runs, and joins again") {
  Session s;
  s.join();
  s.assign(ref_of("t1"));
  s.assign(ref_of("t2"));  // waits for the slot
  s.say_error(ErrorCode::kUnknownSession);
  s.say_error(ErrorCode::kNodeIdInUse);
  CHECK(s.take_stopped().empty());
  CHECK(s.core.held() == Refs{ref_of("t1")});  // others have got what it had not begun
  s.finish(ref_of("t1"));
  CHECK(s.take_started() == Refs{ref_of("t1")});
  s.sent.clear();
  s.say(msg::Welcome{{}, 1000, 3000, 5000});
  CHECK(s.next_entry<msg::Result>().ref == ref_of("t1"));
}

TEST_CASE("a node that is told while joined that its name is in use elsewhere stays joined") {
  Session s;
  s.join();
  s.say_error(ErrorCode::kNodeIdInUse);
  CHECK(s.core.joined());
  CHECK(s.count(Kind::kRefused) == 1);
  CHECK(s.sent.empty());
}

TEST_CASE("a broker that falls silent after a refusal is dialled anew") {
  Session s;
  s.tick();
  s.say_error(ErrorCode::kTooManyNodes);
  s.pass(5999);
  CHECK(s.reconnects == 0);
  s.pass(1);
  CHECK(s.reconnects == 1);
}

TEST_CASE("a wrong frame is answered with a coded ERROR, an ERROR never is") {
  Session s;
  s.join();
  s.tell(SessionCore::Frame{Blob(std::string("\x93\x01\x0a\xc0", 4))});
  CHECK(s.next<msg::ErrorReply>().code == ErrorCode::kBadField);
  s.tell(SessionCore::Frame{Blob(std::string("\x92\x01\x63", 3))});
  s.say_error(ErrorCode::kMalformed);
  CHECK(s.sent.empty());
  CHECK(s.count(Kind::kProtocolError) == 3);
}

}  // namespace
}  // namespace genai::node::test
