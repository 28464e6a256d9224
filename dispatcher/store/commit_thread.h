// Commits on a thread of its own, so that the loop goes on with what comes next.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "dispatcher/store/report.h"
#include "dispatcher/store/store.h"
#include "protocol/base/wakeup.h"

namespace genai::dispatcher::store {

/// One thread uses it; the store belongs to the inner thread while this lives.
class CommitThread {
 public:
  CommitThread(Store& store, const Lease& lease);
  /// Finishes what was started.
  ~CommitThread();
  CommitThread(const CommitThread&) = delete;

  /// One batch at a time: poll() must have told the end of the one before. An empty one only renews
  /// the lease.
  void start(Batch batch);
  /// What became of the batch, once.
  std::optional<CommitReport> poll();
  bool is_busy() const { return busy_; }
  /// Readable when poll() has something to tell.
  int fd() const { return done_.fd(); }

 private:
  void run();
  Result<void> carry_out(Batch& batch);

  Store& store_;
  const Lease lease_;
  Wakeup done_;
  bool busy_ = false;  // of the owner's side

  std::mutex mutex_;
  std::condition_variable changed_;
  Batch batch_;
  bool pending_ = false, stopping_ = false;
  std::optional<CommitReport> report_;
  std::optional<StoreError> broken_;  // found after a commit was told: told with the next
  std::thread thread_;
};

}  // namespace genai::dispatcher::store
