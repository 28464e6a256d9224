#include "dispatcher/store/read_thread.h"

#include <pthread.h>

#include <utility>

namespace genai::dispatcher::store {

ReadThread::ReadThread(std::unique_ptr<DataReader> reader) : reader_(std::move(reader)) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "read");
}

ReadThread::~ReadThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ReadThread::start(const ReadData& read) {
  {
    const std::lock_guard lock(mutex_);
    wanted_.push_back(read);
  }
  changed_.notify_all();
}

std::vector<DataRead> ReadThread::poll() {
  if (!done_.take()) return {};
  const std::lock_guard lock(mutex_);
  return std::exchange(read_, {});
}

void ReadThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return !wanted_.empty() || stopping_; });
    if (stopping_) return;
    const ReadData want = wanted_.front();
    wanted_.pop_front();
    lock.unlock();
    DataRead read{want.number, reader_->read(want.key, want.offset, want.bytes)};
    lock.lock();
    read_.push_back(std::move(read));
    done_.wake();
  }
}

}  // namespace genai::dispatcher::store
