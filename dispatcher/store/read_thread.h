// Reads large data on a thread of its own: a slow disk must not stop the loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "dispatcher/store/reads.h"
#include "dispatcher/store/store.h"
#include "protocol/base/wakeup.h"

namespace genai::dispatcher::store {

/// One thread uses it. What was not read yet when it ends is dropped.
class ReadThread {
 public:
  explicit ReadThread(std::unique_ptr<DataReader> reader);
  ~ReadThread();
  ReadThread(const ReadThread&) = delete;

  void start(const ReadData& read);
  /// What was read since the last call, in the order in which it was asked for.
  std::vector<DataRead> poll();
  /// Readable when poll() has something to tell.
  int fd() const { return done_.fd(); }

 private:
  void run();

  const std::unique_ptr<DataReader> reader_;
  Wakeup done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ReadData> wanted_;
  std::vector<DataRead> read_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace genai::dispatcher::store
