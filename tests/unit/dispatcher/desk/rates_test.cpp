// What one client asks must not keep the others waiting.
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

msg::StatusQuery large_query(std::uint64_t request) {
  msg::StatusQuery query{request, {}};
  for (std::size_t i = 0; i < limits::kMaxStatusIds; ++i)
    query.ids.push_back(task_id("t" + std::to_string(i)));
  return query;
}

/// How many large queries are answered before the first is refused.
std::size_t ask_too_much(World& w) {
  for (std::uint64_t asked = 0;; ++asked) {
    w.from_client(large_query(asked), "greedy");
    if (w.take_to_client<msg::Tasks>("greedy").size() == 1) continue;
    CHECK(w.take_only_error("greedy") == ErrorCode::kSlowDown);
    return asked;
  }
}

Identity client_key(const std::string& key) {
  return {.kind = Identity::Kind::kClient, .key = key, .may_watch = true, .is_admin = true};
}

void submit_many(World& w, std::size_t count) {
  msg::Submit message{1, msg::WatchLevel::kNone, {}};
  for (std::size_t i = 0; i < count; ++i) {
    message.tasks.push_back(World::submission(std::to_string(i)));
    if (message.tasks.size() < limits::kMaxBatchEntries && i + 1 < count) continue;
    w.from_client(message);
    message.tasks.clear();
  }
  w.take_to_client<msg::Accepted>();
}

}  // namespace

TEST_CASE("new kinds of tasks cost by the size of the fleet, and known ones nothing") {
  World w;
  std::vector<msg::ProviderEntry> fleet;
  for (unsigned i = 1; i <= 250; ++i) fleet.push_back(World::entry(i));
  w.snapshot(fleet);
  const auto nodes = static_cast<double>(w.core.providers().size());
  std::size_t made = 0;
  const auto submit = [&](std::size_t kind) {
    TaskSpec spec;
    spec.needs.ram_mib = 1'000'000 + kind;  // more than anybody has
    const auto verdict = w.submit(std::to_string(++made), spec, msg::WatchLevel::kNone, "greedy");
    CHECK((verdict.code == ErrorCode::kOk) == (verdict.retry_after_ms == 0));
    w.cancel(std::to_string(made));
    return verdict.code;
  };
  for (int i = 0; i < 5000; ++i) REQUIRE(submit(0) == ErrorCode::kOk);
  w.run_for(2'000);
  std::size_t kinds = 0;
  const Duration begin = w.now.mono;
  while (submit(kinds + 1) == ErrorCode::kOk && kinds < 50'000) ++kinds;
  const double allowed = (1 + seconds(w.now.mono - begin)) * limits::kMaxRankedPerSecond / nodes;
  CHECK(static_cast<double>(kinds) == Approx(allowed).margin(2));
  CHECK(submit(kinds) == ErrorCode::kOk);  // that one is known
  w.run_for(1'000);
  CHECK(submit(kinds + 1) == ErrorCode::kOk);
}

TEST_CASE("a connection may ask so much in a second") {
  World w;
  w.snapshot();
  const std::size_t answered = ask_too_much(w);
  CHECK(answered >= limits::kMaxAskedPerSecond / (limits::kMaxStatusIds + 10));
  CHECK(answered <= limits::kMaxAskedPerSecond / limits::kMaxStatusIds + 1);
  SECTION("no other is held to it") {
    w.from_client(large_query(1), "modest");
    CHECK(w.take_to_client<msg::Tasks>("modest").size() == 1);
  }
  SECTION("what carries work passes") {
    CHECK(w.submit("t", {}, msg::WatchLevel::kResult, "greedy").code == ErrorCode::kOk);
    w.from_client(msg::Ping{1}, "greedy");
    CHECK(w.take_to_client<msg::Pong>("greedy").size() == 1);
  }
  SECTION("a second later it may again") {
    w.advance(1000);
    CHECK(ask_too_much(w) >= answered - 1);
  }
}

TEST_CASE("fields that are not known are paid for by their bytes") {
  World w;
  w.snapshot();
  // PING, which is free, with a field of 500 kB behind its own.
  const std::string unknown(500'000, 'x');
  const Blob ping(std::string("\x94\x01\x39\x09\xdb\x00\x07\xa1\x20", 9) + unknown);
  std::size_t answered = 0;
  for (int i = 0; i < 400; ++i) {  // 200,000 units: two seconds' worth
    w.core.handle(ClientFrame{"greedy", w.who, ping}, w.now);
    w.step();
    answered += w.take_to_client<msg::Pong>("greedy").size();
  }
  CHECK(answered == 400);
  w.from_client(large_query(1), "greedy");
  CHECK(w.take_only_error("greedy") == ErrorCode::kSlowDown);
  w.from_client(large_query(1), "modest");
  CHECK(w.take_to_client<msg::Tasks>("modest").size() == 1);
}

TEST_CASE("all connections of a key share what it may ask") {
  World w;
  w.snapshot();
  w.who = client_key("k1");
  ask_too_much(w);
  w.from_client(large_query(1), "greedy, connected again");
  CHECK(w.take_only_error("greedy, connected again") == ErrorCode::kSlowDown);
  w.core.handle(ClientFrame{"with garbage", w.who, Blob("junk")}, w.now);
  w.core.handle(ClientMalformed{"with garbage", w.who}, w.now);
  w.step();
  CHECK(w.take_to_client<msg::ErrorReply>("with garbage").empty());
  w.who = client_key("k2");
  w.from_client(large_query(1), "greedy");
  CHECK(w.take_to_client<msg::Tasks>("greedy").size() == 1);
}

TEST_CASE("the connections of revoked keys cannot spend what a key may ask") {
  World w;
  w.snapshot();
  for (int i = 0; i < 5000; ++i) w.core.handle(ClientMalformed{"k1", Identity::nobody()}, w.now);
  w.step();
  w.who = client_key("k1");
  w.from_client(large_query(1));
  CHECK(w.take_to_client<msg::Tasks>().size() == 1);
}

TEST_CASE("garbage without end is answered for a while, and counted in full") {
  World w;
  w.snapshot();
  for (int i = 0; i < 5000; ++i)
    w.core.handle(ClientFrame{"greedy", Identity::anyone(), Blob("junk")}, w.now);
  w.step();
  const std::size_t answers = w.take_to_client<msg::ErrorReply>("greedy").size();
  CHECK(answers >= 1000);
  CHECK(answers <= 1001);
  w.from_client(msg::StatsQuery{1});
  CHECK(get_uint(w.take_to_client<msg::Stats>().at(0).stats, "malformed_total", 0) == 5000);
}

TEST_CASE("a LIST that finds little looks at a bounded number of tasks in a turn") {
  World w;
  w.snapshot();
  submit_many(w, 2 * Listings::kTurn + 10);
  w.cancel(std::to_string(2 * Listings::kTurn + 9));
  const msg::List aborted{7, {{"status", "Aborted"}}};
  w.core.handle(ClientFrame{"client", w.who, Blob(encode(aborted))}, w.now);
  const auto answer = [&] {
    w.step();
    return w.take_to_client<msg::Tasks>();
  };
  SECTION("and goes on in the next") {
    CHECK(w.core.next_deadline() <= w.now.mono);
    CHECK(answer().empty());
    const auto tasks = answer();
    REQUIRE(tasks.size() == 1);
    CHECK(tasks[0].request == 7);
    CHECK(tasks[0].tasks.size() == 1);
    CHECK(!tasks[0].more);
    CHECK(w.core.next_deadline() > w.now.mono);
  }
  SECTION("taking turns with others") {
    w.core.handle(ClientFrame{"other", w.who, Blob(encode(msg::List{8, {{"limit", 1}}}))}, w.now);
    CHECK(answer().empty());
    CHECK(w.take_to_client<msg::Tasks>("other").size() == 1);
    CHECK(answer().size() == 1);
  }
  SECTION("one of each connection at a time") {
    w.core.handle(ClientFrame{"client", w.who, Blob(encode(aborted))}, w.now);  // repeated
    w.core.handle(ClientFrame{"client", w.who, Blob(encode(msg::List{9, {}}))}, w.now);
    w.step();
    CHECK(w.take_only_error() == ErrorCode::kSlowDown);
    CHECK(answer().size() == 1);
    CHECK(answer().empty());
  }
  SECTION("so many in all") {
    const auto ask = [&](std::size_t i) {
      w.core.handle(ClientFrame{std::to_string(i), w.who, Blob(encode(aborted))}, w.now);
    };
    for (std::size_t i = 1; i <= kMaxListings; ++i) ask(i);
    w.step();
    for (std::size_t i = 1; i < kMaxListings; ++i)
      CHECK(w.take_to_client<msg::ErrorReply>(std::to_string(i)).empty());
    CHECK(w.take_only_error(std::to_string(kMaxListings)) == ErrorCode::kSlowDown);
  }
  SECTION("so many of one key") {
    const auto ask = [&](std::size_t i, const std::string& key) {
      w.core.handle(ClientFrame{std::to_string(i), client_key(key), Blob(encode(aborted))}, w.now);
    };
    for (std::size_t i = 0; i <= kMaxListingsOfOne; ++i) ask(i, "k1");
    ask(kMaxListingsOfOne + 1, "k2");
    w.step();
    for (std::size_t i = 0; i < kMaxListingsOfOne; ++i)
      CHECK(w.take_to_client<msg::ErrorReply>(std::to_string(i)).empty());
    CHECK(w.take_only_error(std::to_string(kMaxListingsOfOne)) == ErrorCode::kSlowDown);
    CHECK(w.take_to_client<msg::ErrorReply>(std::to_string(kMaxListingsOfOne + 1)).empty());
  }
  SECTION("however the tasks change meanwhile") {
    std::vector<TaskId> all;
    for (std::size_t i = 0; i < 4096; ++i) all.push_back(task_id(std::to_string(i)));
    w.core.handle(ClientFrame{"other", w.who, Blob(encode(msg::Cancel{1, all}))}, w.now);
    w.step();
    CHECK(answer().size() == 1);
  }
}
