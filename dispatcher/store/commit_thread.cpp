#include "dispatcher/store/commit_thread.h"

#include <pthread.h>

#include <chrono>
#include <utility>

#include "protocol/base/check.h"

namespace genai::dispatcher::store {

CommitThread::CommitThread(Store& store, const Lease& lease) : store_(store), lease_(lease) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "commit");
}

CommitThread::~CommitThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CommitThread::start(Batch batch) {
  GENAI_CHECK(!busy_);
  busy_ = true;
  {
    const std::lock_guard lock(mutex_);
    batch_ = std::move(batch);
    pending_ = true;
  }
  changed_.notify_all();
}

std::optional<CommitReport> CommitThread::poll() {
  if (!done_.take()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  busy_ = false;
  return std::exchange(report_, std::nullopt);
}

Result<void> CommitThread::carry_out(Batch& batch) {
  if (!batch.empty()) return store_.commit(lease_, batch);
  if (auto renewed = store_.renew(lease_, 0); !renewed) return tl::unexpected(renewed.error());
  return {};
}

void CommitThread::run() {
  using Clock = std::chrono::steady_clock;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return pending_ || stopping_; });
    if (!pending_) return;
    Batch batch = std::move(batch_);
    lock.unlock();
    const auto begin = Clock::now();
    CommitReport report;
    report.entries = batch.size();
    report.result = broken_ ? tl::unexpected(*broken_) : carry_out(batch);
    report.low = store_.room() == Room::kLow;
    const auto took = Clock::now() - begin;
    report.took_us = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    const bool good = report.result.has_value();
    if (!good) report.left = std::exchange(batch, {});
    lock.lock();
    pending_ = false;
    report_ = std::move(report);
    done_.wake();
    lock.unlock();
    batch = {};  // freed by this thread: millions of small strings
    if (good)
      if (auto tidied = store_.tidy(); !tidied) broken_ = tidied.error();
    lock.lock();
  }
}

}  // namespace genai::dispatcher::store
