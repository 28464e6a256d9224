// Which messages wait for which commit.
#include "dispatcher/store/commit_queue.h"

#include "tests/unit/dispatcher/store/durable_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::test;

namespace {

/// A dispatcher whose commits end when the test says so.
struct Slow {
  void submit(const std::string& id, std::uint64_t ttl_ms = 0) {
    TaskSpec spec;
    if (ttl_ms) spec.ttl_ms = ttl_ms;
    w.from_client(msg::Submit{1, msg::WatchLevel::kNone, {World::submission(id, spec)}});
  }
  std::size_t accepted() { return w.take_to_client<msg::Accepted>().size(); }

  StoreDouble store;
  DurableWorld w{store, 1, World::kStart};
};

}  // namespace

TEST_CASE("a promise waits for its own commit, not for a later one") {
  Slow s;
  s.submit("t1");
  s.submit("t2");  // while the commit of the first runs
  CHECK(s.accepted() == 0);
  REQUIRE(s.w.finish_commit());
  CHECK(s.accepted() == 1);
  REQUIRE(s.w.running);
  CHECK(s.w.running->added.size() == 1);
  REQUIRE(s.w.finish_commit());
  CHECK(s.accepted() == 1);
  CHECK(!s.w.running);
}

TEST_CASE("what came and went between two commits leaves nothing to write, and stops nothing") {
  Slow s;
  s.submit("t1");
  s.submit("t2", 1);
  s.w.advance(2);
  s.w.step();  // expired: Failed
  s.w.from_client(msg::Purge{2, {task_id("t2")}});
  CHECK(s.w.take_to_client<msg::Purged>().empty());
  REQUIRE(s.w.finish_commit());  // of the first
  CHECK(!s.w.running);
  CHECK(s.w.take_to_client<msg::Purged>().size() == 1);
  CHECK(s.accepted() == 2);
  CHECK(s.store.size() == 1);
  s.submit("t3");
  REQUIRE(s.w.finish_commit());
  CHECK(s.accepted() == 1);
}

TEST_CASE("while nothing can be written nothing piles up") {
  Slow s;
  s.w.snapshot();
  s.w.join(1);
  s.w.from_client(msg::Submit{1, msg::WatchLevel::kProgress, {World::submission("t1")}});
  REQUIRE(s.w.finish_commit());
  s.w.finish_commit();
  const AssignmentRef ref = s.w.take_only_assigned().second;
  s.w.ack(1, ref);
  s.submit("t2");
  s.store.next_fault = Fault::kNoSpace;
  REQUIRE(s.w.finish_commit());
  const std::size_t held = s.w.queue.held();
  for (int i = 0; i < 100; ++i) {
    s.w.from_node(1, msg::Progress{{{ref, 0.01 * i, "step"}}});
    s.w.from_client(msg::StatusQuery{7, {task_id("t1")}});
    s.w.run_for(1'000);
  }
  CHECK(s.w.queue.held() == held);
  CHECK(s.w.take_to_client<msg::ErrorReply>().size() == 100);  // told at once
  REQUIRE(s.w.finish_commit());
  CHECK(s.accepted() > 0);
}
