// Commits on a thread of its own, so that the loop goes on with what comes next.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// What became of a batch.
struct CommitReport {
  Result<void> result;
  std::size_t tasks = 0;
  std::uint64_t took_us = 0;
  bool low = false;  // Store::is_low()
};

/// One thread uses it; the store belongs to the inner thread while this lives.
class CommitThread {
 public:
  explicit CommitThread(Store& store);
  /// Finishes what was started.
  ~CommitThread();
  CommitThread(const CommitThread&) = delete;

  /// One batch at a time: poll() must have told the end of the one before. An empty one only looks
  /// at the room.
  void start(Batch batch);
  /// What is left of the batch that failed with kFull, or kLocked; none while it is tried.
  const Batch* stuck() const { return !busy_ && batch_ ? &*batch_ : nullptr; }
  /// Once more, after `frees`: fetched and erased tasks, of none that is stuck.
  void retry(Batch frees);
  /// What became of the batch, once.
  std::optional<CommitReport> poll();
  bool is_busy() const { return busy_; }
  /// Readable when poll() has something to tell.
  int fd() const { return event_; }

 private:
  void begin();
  void run();

  Store& store_;
  int event_;
  bool busy_ = false;  // of the owner's side

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Batch> batch_;  // what is left of it is kept after kFull, to be retried
  std::size_t size_ = 0;        // of it when it was started
  bool pending_ = false, stopping_ = false;
  std::optional<CommitReport> report_;
  std::optional<StoreError> broken_;  // found after a commit was told: told with the next
  std::thread thread_;
};

}  // namespace genai::dispatcher::store
