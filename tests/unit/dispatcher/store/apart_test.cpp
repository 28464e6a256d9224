// Payloads and results that stand apart in the store: what is sent is read first, and what cannot
// be read is told.
#include "tests/unit/dispatcher/store/durable_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::test;

namespace {

const std::string kPrompt(500, 'p');
const std::string kPicture = "\x89PNG" + std::string(900, 'x') + "end";

/// Whatever has more than 100 bytes stands apart.
struct Apart {
  explicit Apart(unsigned nodes = 1) {
    store.inline_bytes = 100;
    next();
    for (unsigned node = 1; node <= nodes; ++node) w->join(node);
  }
  void next() {
    Now now = World::kStart;
    if (w) {
      w->settle();
      now = w->now;
      now.mono += from_ms(100);
      now.wall += from_ms(100);
    }
    w = std::make_unique<DurableWorld>(store, ++epoch, now);
    w->snapshot();
  }
  void submit(const std::string& id, msg::WatchLevel watch = msg::WatchLevel::kNone,
              const std::string& payload = kPrompt) {
    w->from_client(msg::Submit{1, watch, {World::submission(id, {}, payload)}});
    w->settle();
  }
  /// Its result is on the disk, and in memory no longer.
  void complete(const std::string& id, msg::WatchLevel watch = msg::WatchLevel::kNone,
                const std::string& data = kPicture) {
    submit(id, watch, "small");
    const auto [node, ref] = w->take_only_assigned();
    w->ack(node, ref);
    w->result(node, ref, data);
    w->settle();
  }
  /// The disk loses what it had of the task.
  void lose(const std::string& id) {
    store::Batch batch;
    batch.erased = {w->task(id).sequence};
    REQUIRE(store.commit(w->lease, batch));
  }
  void cancel(const std::string& id) {
    w->from_client(msg::Cancel{2, {task_id(id)}});
    w->settle();
    REQUIRE(w->take_to_client<msg::Cancelled>().at(0).verdicts.at(0).code == ErrorCode::kOk);
  }
  std::vector<msg::Fetched> fetch(const std::string& id, std::uint64_t offset,
                                  std::uint64_t bytes) {
    w->from_client(msg::Fetch{5, task_id(id), offset, bytes});
    w->settle();
    w->finish_reads();
    w->settle();
    return w->take_to_client<msg::Fetched>();
  }

  StoreDouble store;
  std::unique_ptr<DurableWorld> w;
  std::uint64_t epoch = 0;
};

}  // namespace

TEST_CASE("a large payload leaves memory once it is written, and is read for its node") {
  Apart apart(0);
  apart.submit("t");
  CHECK(apart.w->task("t").payload == Data::apart(payload_key(1), kPrompt.size()));
  CHECK(apart.w->core.tasks().queued_bytes() > kPrompt.size());
  apart.w->join(1);
  CHECK(apart.w->status("t") == TaskStatus::kScheduled);
  CHECK(apart.w->take_to_nodes<msg::Assign>().empty());
  apart.w->finish_reads();
  const auto assigned = apart.w->take_to_nodes<msg::Assign>();
  REQUIRE(assigned.size() == 1);
  CHECK(assigned[0].second.payload.view() == kPrompt);
}

TEST_CASE("a task that is assigned before it is written needs no read") {
  Apart apart;
  apart.w->from_client(
      msg::Submit{1, msg::WatchLevel::kNone, {World::submission("t", {}, kPrompt)}});
  const auto assigned = apart.w->take_to_nodes<msg::Assign>();
  REQUIRE(assigned.size() == 1);
  CHECK(assigned[0].second.payload.view() == kPrompt);
  CHECK(apart.w->reads.empty());
}

TEST_CASE("what was read for an assignment that is over goes nowhere") {
  Apart apart(0);
  apart.submit("t");
  apart.w->join(1);
  REQUIRE(apart.w->reads.size() == 1);
  SECTION("the task was cancelled") { apart.cancel("t"); }
  SECTION("its node was lost") {
    apart.w->state(1, ProviderState::kLost);
    CHECK(apart.w->status("t") == TaskStatus::kUnscheduled);
  }
  apart.w->finish_reads();
  CHECK(apart.w->take_assigned().empty());
}

TEST_CASE("a payload that the disk has lost fails its task, which says so") {
  Apart apart(0);
  apart.submit("t", msg::WatchLevel::kResult);
  apart.lose("t");
  apart.w->join(1);
  apart.w->finish_reads();
  CHECK(apart.w->take_assigned().empty());
  CHECK(apart.w->status("t") == TaskStatus::kFailed);
  CHECK(apart.w->task("t").code == ErrorCode::kDataLost);
  CHECK(get_string(apart.w->task("t").info, "error") == "its payload is lost: told to");
}

TEST_CASE("a large result leaves memory once it is written, and is read for each who wants it") {
  Apart apart;
  apart.complete("t", msg::WatchLevel::kResult);
  const auto first = apart.w->take_delivered();  // straight from the node
  REQUIRE(first.size() == 1);
  CHECK(first[0].data.view() == kPicture);
  CHECK(apart.w->reads.empty());
  CHECK(apart.w->task("t").result == Data::apart(result_key(1), kPicture.size()));

  apart.w->from_client(msg::Watch{2, msg::WatchLevel::kResult, {task_id("t")}}, "other");
  apart.w->finish_reads();
  apart.w->settle();
  const auto second = apart.w->take_delivered("other");
  REQUIRE(second.size() == 1);
  CHECK(second[0].data.view() == kPicture);
  CHECK(get_uint(second[0].info, "run_ms") == 5);

  SECTION("also after a restart") {
    apart.next();
    CHECK(apart.w->task("t").result.is_apart());
    apart.w->from_client(msg::Watch{2, msg::WatchLevel::kResult, {task_id("t")}});
    apart.w->finish_reads();
    apart.w->settle();
    const auto third = apart.w->take_delivered();
    REQUIRE(third.size() == 1);
    CHECK(third[0].data.view() == kPicture);
  }
  SECTION("but not for who has gone, or acknowledged it, before it was read") {
    apart.w->from_client(msg::Watch{3, msg::WatchLevel::kResult, {task_id("t")}}, "third");
    apart.w->core.handle(ClientGone{"third"}, apart.w->now);
    apart.w->finish_reads();
    apart.w->settle();
    CHECK(apart.w->take_delivered("third").empty());
  }
}

TEST_CASE("a result that the disk has lost is dropped, and its client is told") {
  Apart apart;
  apart.complete("t");
  apart.lose("t");
  apart.w->from_client(msg::Watch{2, msg::WatchLevel::kResult, {task_id("t")}});
  apart.w->finish_reads();
  CHECK(apart.w->status("t") == TaskStatus::kCompleted);
  CHECK(get_bool(apart.w->task("t").info, "result_dropped"));
  CHECK(get_string(apart.w->task("t").info, "error") ==
        "the result was dropped: it cannot be read: told to");
}

TEST_CASE("the limit on memory does not count what stands apart") {
  Apart apart;
  apart.complete("t");
  ValueMap metrics;
  apart.w->core.metrics().write(metrics);
  CHECK(get_uint(metrics, "result_bytes") - get_uint(metrics, "result_memory_bytes") ==
        kPicture.size());
}

TEST_CASE("FETCH reads any part as often as wanted, and takes nothing away") {
  Apart apart;
  const bool is_large = GENERATE(true, false);
  const std::string data = is_large ? kPicture : "small picture";
  apart.complete("t", msg::WatchLevel::kNone, data);
  for (int round = 0; round < 2; ++round) {
    const auto whole = apart.fetch("t", 0, limits::kMaxFetchBytes);
    REQUIRE(whole.size() == 1);
    CHECK(whole[0].data.view() == data);
    CHECK(whole[0].total == data.size());
    CHECK(whole[0].status == TaskStatus::kCompleted);
    CHECK(get_uint(whole[0].info, "run_ms") == 5);
  }
  const auto part = apart.fetch("t", 3, 5);
  CHECK(part.at(0).data.view() == data.substr(3, 5));
  CHECK(part.at(0).offset == 3);
  const auto beyond = apart.fetch("t", 10'000, 5);
  CHECK(beyond.at(0).data.empty());
  CHECK(beyond.at(0).offset == data.size());
  const auto told = apart.fetch("t", 0, 0);
  CHECK(told.at(0).total == data.size());
  CHECK(told.at(0).data.empty());
  CHECK(!apart.w->task("t").fetched);
}

TEST_CASE("FETCH says what there is not") {
  Apart apart(0);
  apart.w->from_client(msg::Fetch{5, task_id("nobody"), 0, 10});
  CHECK(apart.w->take_only_error() == ErrorCode::kUnknownTask);
  apart.submit("open");
  const auto open = apart.fetch("open", 0, 10);
  REQUIRE(open.size() == 1);
  CHECK(open[0].status == TaskStatus::kUnscheduled);
  CHECK(open[0].total == 0);
  CHECK(open[0].info.empty());
  apart.cancel("open");
  apart.w->join(1);
  apart.complete("t");
  apart.w->fetch("t");
  const auto gone = apart.fetch("t", 0, 10);
  CHECK(get_bool(gone.at(0).info, "result_gone"));
  CHECK(gone.at(0).total == 0);
}

TEST_CASE("a FETCH of what goes before it was read is answered all the same") {
  Apart apart;
  apart.complete("t");
  apart.w->from_client(msg::Fetch{5, task_id("t"), 0, 10});
  REQUIRE(apart.w->reads.size() == 1);
  SECTION("the task was deleted") {
    apart.w->from_client(msg::Delete{6, {task_id("t")}});
    apart.w->settle();
    apart.w->finish_reads();
    CHECK(apart.w->take_only_error() == ErrorCode::kUnknownTask);
  }
  SECTION("the disk has lost it") {
    apart.lose("t");
    apart.w->finish_reads();
    CHECK(apart.w->take_only_error() == ErrorCode::kDataLost);
  }
}

TEST_CASE("no more FETCHes of a connection wait for the disk than it may have") {
  Apart apart;
  apart.complete("t");
  for (std::size_t i = 0; i < kMaxFetchesOfOne; ++i)
    apart.w->from_client(msg::Fetch{i, task_id("t"), 0, 10});
  CHECK(apart.w->take_to_client<msg::ErrorReply>().empty());
  apart.w->from_client(msg::Fetch{99, task_id("t"), 0, 10});
  CHECK(apart.w->take_only_error() == ErrorCode::kSlowDown);
  apart.w->from_client(msg::Fetch{99, task_id("t"), 0, 10}, "other");
  CHECK(apart.w->take_to_client<msg::ErrorReply>("other").empty());
  apart.w->finish_reads();
  apart.w->settle();
  CHECK(apart.w->take_to_client<msg::Fetched>().size() == kMaxFetchesOfOne);
  CHECK(apart.fetch("t", 0, 10).size() == 1);
}

TEST_CASE("DELETE forgets a task that has ended, and refuses one that has not") {
  Apart apart;
  apart.complete("done");
  apart.w->state(1, ProviderState::kLost);
  apart.submit("open");
  apart.w->from_client(msg::Delete{6, {task_id("done"), task_id("open"), task_id("nobody")}});
  apart.w->settle();
  const auto deleted = apart.w->take_to_client<msg::Deleted>();
  REQUIRE(deleted.size() == 1);
  REQUIRE(deleted[0].verdicts.size() == 3);
  CHECK(deleted[0].verdicts[0].code == ErrorCode::kOk);
  CHECK(deleted[0].verdicts[1].code == ErrorCode::kNotEnded);
  CHECK(deleted[0].verdicts[2].code == ErrorCode::kUnknownTask);
  CHECK(apart.store.find(task_id("done")) == nullptr);
  CHECK(apart.store.find(task_id("open")) != nullptr);
}

TEST_CASE("a task is not forgotten while its node has not let go of it") {
  Apart apart;
  apart.submit("t", msg::WatchLevel::kNone, "small");
  const auto [node, ref] = apart.w->take_only_assigned();
  apart.w->ack(node, ref);
  apart.cancel("t");
  const auto forget = [&] {
    apart.w->from_client(msg::Delete{6, {task_id("t")}});
    apart.w->settle();
    return apart.w->take_to_client<msg::Deleted>().at(0).verdicts.at(0).code;
  };
  CHECK(forget() == ErrorCode::kNotEnded);
  apart.w->from_node(node, msg::AbortAck{{{ref, msg::AbortOutcome::kStopped}}});
  CHECK(forget() == ErrorCode::kOk);
}

TEST_CASE("a result that goes in the pass in which it is asked for harms nobody") {
  Apart apart;
  apart.complete("t");
  apart.complete("u");
  apart.w->settle();
  // Its retention ends while it waits to be read.
  apart.w->now.mono += Retention().result_retention;
  apart.w->now.wall += Retention().result_retention;
  apart.w->core.handle(
      ClientFrame{"client", apart.w->who,
                  Blob(encode(msg::Watch{2, msg::WatchLevel::kResult, {task_id("t")}}))},
      apart.w->now);
  apart.w->core.handle(
      ClientFrame{"client", apart.w->who, Blob(encode(msg::Fetch{3, task_id("u"), 0, 10}))},
      apart.w->now);
  apart.w->step();
  apart.w->finish_reads();
  apart.w->settle();
  CHECK(apart.w->take_only_error() == ErrorCode::kDataLost);
  apart.w->run_for(6'000);
  apart.w->settle();
  const auto told = apart.w->take_delivered();
  REQUIRE(!told.empty());
  CHECK(get_bool(told.back().info, "result_gone"));
}

TEST_CASE("a Failed task with a large payload is replayed, also when it is purged at once") {
  Apart apart(0);
  apart.submit("old");
  apart.w->join(1);
  apart.w->finish_reads();
  auto [node, ref] = apart.w->take_only_assigned();
  apart.w->ack(node, ref);
  apart.w->from_node(
      node,
      msg::Result{
          {{ref, msg::Outcome::kError, {{"code", std::uint64_t{513}}, {"error", "never"}}, {}}}});
  apart.w->settle();
  REQUIRE(apart.w->status("old") == TaskStatus::kFailed);
  apart.w->state(1, ProviderState::kLost);

  apart.w->from_client(msg::Replay{7, {{task_id("old"), task_id("new")}}});
  apart.w->from_client(msg::Purge{8, {task_id("old")}});
  apart.w->join(2);  // before anything is written
  REQUIRE(apart.w->reads.size() == 1);
  apart.w->settle();
  CHECK(apart.w->task("new").payload == Data::apart(payload_key(2), kPrompt.size()));
  apart.w->finish_reads();  // under a key that is gone by now
  apart.w->finish_reads();
  const auto assigned = apart.w->take_to_nodes<msg::Assign>();
  REQUIRE(assigned.size() == 1);
  CHECK(assigned[0].second.payload.view() == kPrompt);
}
