// How a batch that does not fit as a whole gets in piece by piece.
#include "dispatcher/store/parts.h"

#include <catch2/catch.hpp>
#include <deque>

using namespace genai::dispatcher::store;

namespace {

/// Answers as told, then says that all is well.
struct Scripted {
  Result<void> commit(Batch& batch) {
    return commit_in_parts(batch, [this](const Batch& part) -> Result<void> {
      seen.push_back(part.size());
      if (answers.empty()) return {};
      const auto answer = answers.front();
      answers.pop_front();
      return answer;
    });
  }
  void fail(std::size_t times, Failure failure = Failure::kFull) {
    for (; times > 0; --times) answers.push_back(tl::unexpected(StoreError{failure, "told to"}));
  }

  std::deque<Result<void>> answers;
  std::vector<std::size_t> seen;
};

Batch batch_of(std::size_t size) {
  Batch batch;
  batch.erased.resize(size);
  return batch;
}

using Sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("what does not fit is kept to be tried again") {
  Scripted store;
  store.fail(4);
  Batch batch = batch_of(4);
  CHECK(store.commit(batch).error().failure == Failure::kFull);
  CHECK(store.seen == Sizes{4, 2, 1});  // in parts, too, it did not fit
  CHECK(batch.size() == 4);
  store.seen.clear();
  CHECK(store.commit(batch));
  CHECK(store.seen == Sizes{4, 2, 2});
}

TEST_CASE("what fitted in parts is not written again") {
  Scripted store;
  // All, a half, one, another: then there is no room for the third.
  store.fail(2);
  store.answers.emplace_back();
  store.answers.emplace_back();
  store.fail(1);
  Batch batch = batch_of(4);
  CHECK(!store.commit(batch));
  CHECK(batch.size() == 2);
  CHECK(store.commit(batch));
  CHECK(store.seen == Sizes{4, 2, 1, 1, 1, 2});
}

TEST_CASE("what frees room goes first") {
  Scripted store;
  store.fail(2);
  Batch batch = batch_of(2);
  batch.added.resize(1);
  CHECK(store.commit(batch));  // all of it: no; what frees: no; a part of that: yes
  CHECK(store.seen == Sizes{3, 2, 1, 1, 1});
}

TEST_CASE("a failure that is not for want of room is not tried in parts") {
  const auto failure = GENERATE(Failure::kIo, Failure::kLocked, Failure::kFenced);
  Scripted store;
  store.fail(1, failure);
  Batch batch = batch_of(4);
  CHECK(store.commit(batch).error().failure == failure);
  CHECK(store.seen == Sizes{4});
  CHECK(batch.size() == 4);
}
