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
  Result<void> commit(const Lease& lease, Batch& batch) override {
    leases.push_back(lease.epoch);
    return answer_to(batch.size());
  }
  Result<Lease> renew(const Lease& lease, std::uint64_t) override {
    leases.push_back(lease.epoch);
    if (auto answer = answer_to(0); !answer) return tl::unexpected(answer.error());
    return lease;
  }
  Result<void> answer_to(std::size_t entries) {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [&] { return open; });
    seen.push_back(entries);
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
  Room room() const override { return Room::kLow; }

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
  std::vector<std::size_t> seen;  // of a renewal: 0
  std::vector<std::uint64_t> leases;
};

constexpr Lease kLease{7};

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
  CommitThread thread(store, kLease);
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
  CHECK(store.leases == std::vector<std::uint64_t>(4, kLease.epoch));
}

TEST_CASE("what did not fit comes back, to be tried again") {
  Scripted store;
  store.answers = {fails(Failure::kFull)};
  CommitThread thread(store, kLease);
  thread.start(batch_of(4));
  CommitReport report = await(thread);
  CHECK(report.result.error().failure == Failure::kFull);
  CHECK(report.entries == 4);
  CHECK(report.left.size() == 4);
  thread.start(std::move(report.left));
  report = await(thread);
  CHECK(report.result);
  CHECK(report.left.empty());
  CHECK(store.seen == std::vector<std::size_t>{4, 4});
}

TEST_CASE("what breaks after a commit was told is told with the next, which is not tried") {
  Scripted store;
  store.tidy_fails = true;
  CommitThread thread(store, kLease);
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
    CommitThread thread(store, kLease);
    thread.start(batch_of(2));
    store.wait_entered();
    store.let_go();
  }
  CHECK(store.seen == std::vector<std::size_t>{2});
}
