#include "tools/node/execution.h"

#include <utility>

namespace genai::node {
namespace {

constexpr char kNoAnswer[] = "the handler gave no answer";

}  // namespace

void Execution::progress(double fraction, std::string_view text) {
  mailbox_->put_progress({ref_, fraction, std::string(text)});
}

bool Execution::aborted() const {
  const std::lock_guard lock(mutex_);
  return aborted_;
}

bool Execution::wait_aborted(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return aborted_; });
}

// The callback runs under the lock, so that it is over before the end is reported.
void Execution::on_abort(std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  if (has_ended_) return;
  callback_ = std::move(callback);
  if (aborted_) call();
}

void Execution::abort() {
  const std::lock_guard lock(mutex_);
  if (has_ended_ || std::exchange(aborted_, true)) return;
  changed_.notify_all();
  call();
}

void Execution::call() {
  if (auto callback = std::exchange(callback_, {})) callback();
}

void Execution::finish(std::optional<TaskResult> result) {
  const std::lock_guard lock(mutex_);
  if (result)
    report(std::move(*result));
  else if (handler_runs_)
    was_dropped_ = true;
  else
    report(TaskResult::error(kNoAnswer));
}

void Execution::handler_has_returned(const std::optional<std::string>& thrown) {
  const std::lock_guard lock(mutex_);
  handler_runs_ = false;
  if (thrown)
    report(TaskResult::error("the handler threw " + *thrown));
  else if (was_dropped_)
    report(TaskResult::error(kNoAnswer));
}

void Execution::report(TaskResult result) {
  if (std::exchange(has_ended_, true)) return;
  callback_ = {};
  mailbox_->put(Report::Finished{ref_, std::move(result)});
}

}  // namespace genai::node
