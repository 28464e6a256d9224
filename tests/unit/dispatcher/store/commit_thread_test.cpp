#include "dispatcher/store/commit_thread.h"

#include <poll.h>

#include <catch2/catch.hpp>
#include <deque>

#include "dispatcher/store/memory/memory_store.h"

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::store;

namespace {

/// Answers as told; the test lets each commit go on.
struct Scripted : MemoryStore {
  Result<void> commit(const Batch& batch) override {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [&] { return open; });
    seen.push_back(batch.size());
    if (answers.empty()) return {};
    Result<void> answer = answers.front();
    answers.pop_front();
    return answer;
  }
  Result<void> tidy() override {
    const std::lock_guard lock(mutex);
    if (!tidy_fails) return {};
    return tl::unexpected(StoreError{Failure::kIo, "while tidying"});
  }
  bool is_low() const override { return true; }

  void wait_entered() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return entered; });
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool open = true, entered = false, tidy_fails = false;
  std::deque<Result<void>> answers;
  std::vector<std::size_t> seen;
};

Batch batch_of(std::size_t size) {
  Batch batch;
  batch.erased.resize(size);
  return batch;
}

CommitReport await(CommitThread& thread) {
  pollfd waiting{thread.fd(), POLLIN, 0};
  REQUIRE(poll(&waiting, 1, 30'000) == 1);
  auto report = thread.poll();
  REQUIRE(report);
  CHECK(!thread.poll());  // told once
  return std::move(*report);
}

Result<void> fails(Failure failure) { return tl::unexpected(StoreError{failure, "told to"}); }

}  // namespace

TEST_CASE("a batch is committed beside its owner, who is told when it is done") {
  Scripted store;
  store.open = false;
  CommitThread thread(store);
  CHECK(!thread.is_busy());
  thread.start(batch_of(3));
  store.wait_entered();
  CHECK(thread.is_busy());
  CHECK(!thread.poll());
  store.let_go();
  const CommitReport report = await(thread);
  CHECK(report.result);
  CHECK(report.entries == 3);
  CHECK(report.low);
  CHECK(!thread.is_busy());
  for (std::size_t size : {1u, 0u, 5u}) {
    thread.start(batch_of(size));
    CHECK(await(thread).entries == size);
  }
  CHECK(store.seen == std::vector<std::size_t>{3, 1, 0, 5});
}

TEST_CASE("what did not fit comes back, to be tried again") {
  Scripted store;
  store.answers.assign(4, fails(Failure::kFull));
  CommitThread thread(store);
  thread.start(batch_of(4));
  CommitReport report = await(thread);
  CHECK(report.result.error().failure == Failure::kFull);
  CHECK(report.entries == 4);
  CHECK(report.left.size() == 4);
  CHECK(store.seen == std::vector<std::size_t>{4, 2, 1});  // in parts, too, it did not fit
  store.seen.clear();
  thread.start(std::move(report.left));
  report = await(thread);
  CHECK(report.result);
  CHECK(report.left.empty());
  CHECK(store.seen == std::vector<std::size_t>{4, 2, 2});
}

TEST_CASE("what fitted in parts is not written again") {
  Scripted store;
  // All, a half, one, another: then there is no room for the third.
  store.answers = {fails(Failure::kFull), fails(Failure::kFull), {}, {}, fails(Failure::kFull)};
  CommitThread thread(store);
  thread.start(batch_of(4));
  CommitReport report = await(thread);
  CHECK(!report.result);
  CHECK(report.left.size() == 2);
  thread.start(std::move(report.left));
  CHECK(await(thread).result);
  CHECK(store.seen == std::vector<std::size_t>{4, 2, 1, 1, 1, 2});
}

TEST_CASE("what frees room goes before what is stuck") {
  Scripted store;
  store.answers.assign(2, fails(Failure::kFull));
  CommitThread thread(store);
  Batch batch = batch_of(2);
  batch.added.resize(1);
  thread.start(std::move(batch));  // all of it: no; what frees: no; a part of that: yes
  CHECK(await(thread).result);
  CHECK(store.seen == std::vector<std::size_t>{3, 2, 1, 1, 1});
}

TEST_CASE("a failure that is not for want of room is not tried in parts") {
  const auto failure = GENERATE(Failure::kIo, Failure::kLocked);
  Scripted store;
  store.answers = {fails(failure)};
  CommitThread thread(store);
  thread.start(batch_of(4));
  CHECK(await(thread).result.error().failure == failure);
  CHECK(store.seen == std::vector<std::size_t>{4});
}

TEST_CASE("what breaks after a commit was told is told with the next, which is not tried") {
  Scripted store;
  store.tidy_fails = true;
  CommitThread thread(store);
  thread.start(batch_of(1));
  CHECK(await(thread).result);
  thread.start(batch_of(2));
  const CommitReport report = await(thread);
  REQUIRE(!report.result);
  CHECK(report.result.error().detail == "while tidying");
  CHECK(store.seen == std::vector<std::size_t>{1});
}

TEST_CASE("an end in the middle of a commit finishes it") {
  Scripted store;
  store.open = false;
  {
    CommitThread thread(store);
    thread.start(batch_of(2));
    store.wait_entered();
    store.let_go();
  }
  CHECK(store.seen == std::vector<std::size_t>{2});
}
