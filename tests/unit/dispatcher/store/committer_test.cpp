// Which messages wait for which commit, what a full disk changes, and what is read meanwhile.
#include "dispatcher/store/committer.h"

#include "tests/unit/dispatcher/store/durable_fleet.h"

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::test;

namespace {

using State = StoreReport::State;
using Reading = Committer::Reading;
using CommitNeeds = Committer::Needs;

/// A committer alone, on virtual time. What it is told is made up, and messages are numbers.
struct Bench {
  static constexpr Duration kAtOnce{0};

  explicit Bench(Committer::Settings settings = {.name = "double", .durable = true})
      : committer(std::move(settings), now) {}

  static Messages numbered(std::vector<std::uint64_t> numbers) {
    Messages messages;
    for (const std::uint64_t number : numbers)
      messages.to_clients.push_back({"client", msg::ErrorReply{number, {}, {}}});
    return messages;
  }
  static store::Batch batch_of(std::size_t size, std::uint64_t first = 1) {
    store::Batch batch;
    for (std::size_t i = 0; i < size; ++i) batch.erased.push_back(first + i);
    return batch;
  }
  /// Of a write of which that much is left, or of a look.
  store::CommitReport failure(store::Failure why, store::Batch left = {}) const {
    return {.result = tl::unexpected(store::StoreError{why, "told to"}),
            .left = std::move(left),
            .entries = writing ? writing->size() : 0};
  }

  void advance(Duration by) {
    now.mono += by;
    now.wall += by;
  }
  /// A pass with messages that rest on changes due at that time.
  void pass(std::vector<std::uint64_t> numbers, Duration due = kNever, std::size_t bytes = 0) {
    committer.handle(Committer::Pass{numbered(std::move(numbers)), due, bytes}, now);
    take();
  }
  void change(std::size_t size) {
    REQUIRE(committer.needs(now) == CommitNeeds::kChanges);
    committer.handle(Committer::Changes{batch_of(size)}, now);
    take();
  }
  /// A pass whose changes begin to be written.
  void begin(std::vector<std::uint64_t> numbers, std::size_t size = 1) {
    pass(std::move(numbers), kAtOnce);
    change(size);
    REQUIRE(writing);
  }
  void free(std::size_t size) {
    REQUIRE(committer.needs(now) == CommitNeeds::kFrees);
    committer.handle(Committer::Frees{batch_of(size, 100)}, now);
    take();
  }
  void done(bool low = false) {
    end({.result = {}, .entries = writing ? writing->size() : 0, .low = low});
  }
  void end(store::CommitReport report) {
    REQUIRE((writing || looking));
    writing.reset();
    looking = false;
    committer.handle(std::move(report), now);
    take();
  }
  void expire() {
    committer.expire(now);
    take();
  }
  void take() {
    committer.check();
    for (Committer::Event& event : committer.take_events()) {
      if (auto* write = std::get_if<Committer::Write>(&event)) writing = std::move(write->batch);
      looking |= std::holds_alternative<Committer::Look>(event);
      if (auto* release = std::get_if<Committer::Release>(&event))
        for (const auto& sent : release->messages.to_clients)
          released.push_back(std::get<msg::ErrorReply>(sent.message).request);
      if (auto* change = std::get_if<Committer::StateChanged>(&event))
        states.push_back(change->state);
      if (auto* failed = std::get_if<Committer::Failed>(&event)) failure_told = failed->error;
    }
  }
  std::vector<std::uint64_t> take_released() { return std::exchange(released, {}); }
  std::vector<State> take_states() { return std::exchange(states, {}); }

  Now now = World::kStart;
  Committer committer;
  std::optional<store::Batch> writing;
  bool looking = false;
  std::vector<std::uint64_t> released;
  std::vector<State> states;
  std::optional<store::StoreError> failure_told;
};

using Numbers = std::vector<std::uint64_t>;
using States = std::vector<State>;

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

TEST_CASE("messages leave in order, each after the commit that it rests on") {
  Bench b;
  b.begin({1, 2});
  CHECK(b.take_released().empty());
  b.pass({3}, Bench::kAtOnce);  // while that runs
  b.pass({4}, Bench::kAtOnce);
  CHECK(b.committer.needs(b.now) == CommitNeeds::kNothing);
  b.done();
  CHECK(b.take_released() == Numbers{1, 2});
  b.change(2);
  b.pass({5}, Bench::kAtOnce);
  CHECK(b.take_released().empty());
  b.done();
  CHECK(b.take_released() == Numbers{3, 4});
  b.change(1);
  b.done();
  CHECK(b.take_released() == Numbers{5});
  CHECK(b.committer.is_idle());
  CHECK(b.committer.report().commits == 3);
  CHECK(b.committer.report().tasks == 4);
}

TEST_CASE("what rests on nothing that is due leaves at once, but never before what came earlier") {
  Bench b;
  b.pass({1});
  CHECK(b.take_released() == Numbers{1});
  b.begin({2});
  b.pass({3});
  CHECK(b.take_released().empty());
  b.done();
  CHECK(b.take_released() == Numbers{2, 3});
}

TEST_CASE("changes that nobody waits for hold no message up, and are written in their time") {
  Bench b;
  const Duration due = b.now.mono + from_ms(500);
  b.pass({1}, due);
  CHECK(b.take_released() == Numbers{1});
  CHECK(b.committer.needs(b.now) == CommitNeeds::kNothing);
  CHECK(b.committer.next_deadline() == due);
  b.advance(from_ms(500));
  b.change(1);
  CHECK(b.writing);
  CHECK(b.committer.next_deadline() == kNever);  // its end is awaited
}

TEST_CASE("changes that were gone before they were taken stop nothing") {
  Bench b;
  b.pass({1}, Bench::kAtOnce);
  b.committer.handle(Committer::Changes{{}, b.now.mono + from_ms(70)}, b.now);
  b.take();
  CHECK(!b.writing);
  CHECK(b.take_released() == Numbers{1});
  CHECK(b.committer.next_deadline() == b.now.mono + from_ms(70));
}

TEST_CASE("clients are not read while too much waits, and links are") {
  Bench b({.name = "double", .durable = true, .max_held_messages = 6, .max_unwritten_bytes = 100});
  CHECK(b.committer.reading() == Reading::kAll);
  SECTION("messages") {
    b.begin({1, 2});
    b.pass({3}, Bench::kAtOnce);
    CHECK(b.committer.reading() == Reading::kAll);  // half of what may wait
    b.pass({4}, Bench::kAtOnce);
    CHECK(b.committer.reading() == Reading::kLinks);
    b.done();
    CHECK(b.committer.reading() == Reading::kAll);
  }
  SECTION("bytes, until they are on their way") {
    b.pass({1}, Bench::kAtOnce, 100);
    CHECK(b.committer.reading() == Reading::kAll);
    b.pass({}, Bench::kAtOnce, 101);
    CHECK(b.committer.reading() == Reading::kLinks);
    b.change(1);
    CHECK(b.committer.reading() == Reading::kAll);
  }
  SECTION("a stuck batch") {
    b.begin({1, 2, 3, 4});
    CHECK(b.committer.reading() == Reading::kLinks);
    b.end(b.failure(store::Failure::kFull, Bench::batch_of(1)));
    CHECK(b.committer.reading() == Reading::kLinks);
  }
}

TEST_CASE("beyond the bound messages are dropped, whole passes of them, and the order stays") {
  Bench b({.name = "double", .durable = true, .max_held_messages = 4});
  b.begin({1, 2});
  b.pass({3, 4, 5}, Bench::kAtOnce);  // the bound is met within a pass
  b.pass({6}, Bench::kAtOnce);
  CHECK(b.committer.held() == 5);
  b.done();
  b.change(1);
  b.pass({7}, Bench::kAtOnce);
  b.done();
  b.change(1);
  b.done();
  CHECK(b.take_released() == Numbers{1, 2, 3, 4, 5, 7});
}

TEST_CASE("a batch that does not fit is tried again after a second, with whatever frees room") {
  const auto why = GENERATE(store::Failure::kFull, store::Failure::kLocked);
  Bench b;
  b.begin({1}, 3);
  b.end(b.failure(why, Bench::batch_of(2)));  // one of the three fitted
  CHECK(b.take_states() == States{State::kFull});
  CHECK(b.committer.report().state == State::kFull);
  CHECK(b.committer.report().tasks == 1);
  CHECK(b.take_released().empty());
  REQUIRE(b.committer.stuck());
  CHECK(b.committer.stuck()->erased == Numbers{1, 2});
  b.pass({2}, Bench::kAtOnce);  // waits behind it, and its changes gather
  CHECK(b.committer.needs(b.now) == CommitNeeds::kNothing);
  const Duration retry_at = b.committer.next_deadline();
  CHECK(retry_at == b.now.mono + Committer::kRetry);
  b.advance(Committer::kRetry);
  b.free(1);
  CHECK(!b.committer.stuck());
  REQUIRE(b.writing);
  CHECK(b.writing->erased == Numbers{1, 2, 100});
  b.end(b.failure(why, *b.writing));
  CHECK(b.take_states().empty());  // it is full already
  b.advance(Committer::kRetry);
  b.free(0);
  CHECK(b.writing->erased == Numbers{1, 2, 100});
  b.done();
  CHECK(b.take_released() == Numbers{1});
  CHECK(b.committer.report().tasks == 4);
  CHECK(b.committer.report().commits == 1);
  CHECK(b.take_states() == States{State::kOk});
  b.change(1);
  b.done();
  CHECK(b.take_released() == Numbers{2});
}

TEST_CASE("the state of the store follows the reports, and is told when it is another one") {
  Bench b({.name = "double", .durable = true, .low = true});
  b.expire();
  CHECK(b.take_states() == States{State::kLow});
  b.begin({1});
  b.done(true);
  CHECK(b.take_states().empty());
  b.begin({2});
  b.end(b.failure(store::Failure::kFull, Bench::batch_of(1)));
  CHECK(b.take_states() == States{State::kFull});
  b.advance(Committer::kRetry);
  b.free(0);
  b.done(true);
  CHECK(b.take_states() == States{State::kLow});
  b.begin({3});
  b.done();
  CHECK(b.take_states() == States{State::kOk});
}

TEST_CASE("the store is looked at when nothing is written: more often while room is short") {
  Bench b;
  b.expire();
  CHECK(!b.looking);
  CHECK(b.committer.next_deadline() == b.now.mono + Committer::kLookWhileLow);
  b.advance(Committer::kLookWhileLow);
  b.expire();
  REQUIRE(b.looking);
  CHECK(b.committer.is_idle());  // it holds nothing up, nor a stop
  b.pass({1}, Bench::kAtOnce);   // one at a time
  CHECK(b.committer.needs(b.now) == CommitNeeds::kNothing);
  b.done();
  CHECK(b.committer.report().commits == 0);
  b.change(1);
  b.done();
  CHECK(b.take_released() == Numbers{1});
  CHECK(b.committer.next_deadline() == b.now.mono + Committer::kLook);
  b.advance(Committer::kLook);
  b.expire();
  b.done(true);
  CHECK(b.committer.next_deadline() == b.now.mono + Committer::kLookWhileLow);
}

TEST_CASE("a look finds the disk full: there is nothing to try again, only to look again") {
  Bench b;
  b.advance(Committer::kLookWhileLow);
  b.expire();
  b.end(b.failure(store::Failure::kFull));
  CHECK(b.take_states() == States{State::kFull});
  CHECK(!b.committer.stuck());
  b.advance(Committer::kRetry);
  CHECK(b.committer.needs(b.now) == CommitNeeds::kNothing);
  b.expire();
  REQUIRE(b.looking);
  b.done();
  CHECK(b.take_states() == States{State::kOk});
}

TEST_CASE("after a failure for good nothing is written, read or said any more") {
  const auto why = GENERATE(store::Failure::kIo, store::Failure::kFenced);
  Bench b;
  b.begin({1});
  b.pass({2}, Bench::kAtOnce);
  b.end(b.failure(why, Bench::batch_of(1)));
  REQUIRE(b.failure_told);
  CHECK(b.failure_told->failure == why);
  b.pass({3});
  b.advance(from_ms(60'000));
  b.expire();
  CHECK(b.take_released().empty());
  CHECK(b.committer.needs(b.now) == CommitNeeds::kNothing);
  CHECK(b.committer.next_deadline() == kNever);
  CHECK(b.committer.reading() == Reading::kNothing);
  CHECK((!b.writing && !b.looking));
}

TEST_CASE("a stop writes all there is, also what could wait, and then is done") {
  Bench b;
  b.begin({1});
  b.pass({2}, b.now.mono + from_ms(500));
  b.committer.handle(Committer::Stop{}, b.now);
  CHECK(b.committer.reading() == Reading::kNothing);
  b.done();
  CHECK(!b.committer.is_done());
  b.change(1);  // though it is not due
  b.done();
  CHECK(b.take_released() == Numbers{1, 2});
  CHECK(!b.committer.is_done());  // there may be more
  b.change(0);
  CHECK(b.committer.is_done());
  CHECK(b.committer.is_idle());
}

TEST_CASE("a stop does not wait for room, and says what it leaves") {
  Bench b;
  b.begin({1});
  SECTION("that was missing before") {
    b.end(b.failure(store::Failure::kFull, Bench::batch_of(1)));
    b.committer.handle(Committer::Stop{}, b.now);
  }
  SECTION("that turns out to be missing") {
    b.committer.handle(Committer::Stop{}, b.now);
    CHECK(!b.committer.is_done());
    b.end(b.failure(store::Failure::kFull, Bench::batch_of(1)));
  }
  CHECK(b.committer.is_done());
  CHECK(!b.committer.is_idle());  // what was promised to nobody is lost
  CHECK(b.take_released().empty());
}

TEST_CASE("without a durable store nothing waits, and nothing is looked at") {
  Bench b(Committer::Settings{});
  b.pass({1, 2});
  CHECK(b.take_released() == Numbers{1, 2});
  CHECK(b.committer.next_deadline() == kNever);
  b.advance(from_ms(60'000));
  b.expire();
  CHECK(!b.looking);
}

// ---- with the core that it commits for

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

TEST_CASE("who was fenced promises nothing more, whatever it has said before") {
  Slow s;
  s.submit("t1");
  REQUIRE(s.w.finish_commit());
  CHECK(s.accepted() == 1);
  s.submit("t2");
  s.submit("t3");  // waits behind it
  s.store.expire();
  const store::Lease other = *s.store.acquire("another", 2);
  CHECK(!s.w.finish_commit());
  s.submit("t4");
  CHECK(s.accepted() == 0);
  CHECK(s.store.size() == 1);
  CHECK(s.store.holds(other));
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
  s.store.space = 0;
  REQUIRE(s.w.finish_commit());
  const std::size_t held = s.w.committer.held();
  for (int i = 0; i < 100; ++i) {
    s.w.from_node(1, msg::Progress{{{ref, 0.01 * i, "step"}}});
    s.w.from_client(msg::StatusQuery{7, {task_id("t1")}});
    s.w.run_for(1'000);
    REQUIRE(s.w.finish_commit());  // it is tried again and again
  }
  CHECK(s.store.commits > 50);
  CHECK(s.w.committer.held() == held);
  CHECK(s.w.take_to_client<msg::ErrorReply>().size() == 100);  // told at once
  s.store.space = StoreDouble::kNoEnd;
  s.w.settle();
  CHECK(s.accepted() > 0);
}
