// One running task, as the handler, the loop and whoever answers later share it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "genai/node.h"
#include "tools/node/mailbox.h"

namespace genai::node {

/// Reports its end to the mailbox once, whoever tells of it. Thread-safe.
class Execution : public TaskContext {
 public:
  Execution(AssignmentRef ref, std::shared_ptr<Mailbox> mailbox)
      : ref_(std::move(ref)), mailbox_(std::move(mailbox)) {}

  void progress(double fraction, std::string_view text) override;
  bool aborted() const override;
  bool wait_aborted(std::chrono::milliseconds timeout) override;
  void on_abort(std::function<void()> callback) override;

  /// Tells the handler that the result is not wanted any more.
  void abort();
  /// Nothing: the Reply was dropped. While the handler runs it may still throw, which says more.
  void finish(std::optional<TaskResult> result);
  /// `thrown`: what the handler threw, if it did.
  void handler_has_returned(const std::optional<std::string>& thrown);

 private:
  void call();
  void report(TaskResult result);

  const AssignmentRef ref_;
  const std::shared_ptr<Mailbox> mailbox_;
  // The callback of an abort runs under it, and may give the answer.
  mutable std::recursive_mutex mutex_;
  std::condition_variable_any changed_;
  bool aborted_ = false;
  bool handler_runs_ = true;
  bool was_dropped_ = false;
  bool has_ended_ = false;
  std::function<void()> callback_;
};

}  // namespace genai::node
