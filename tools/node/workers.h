// The threads that run the handler.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "genai/node.h"
#include "protocol/wire/assignment_ref.h"
#include "tools/node/execution.h"
#include "tools/node/mailbox.h"
#include "tools/node/session_core.h"

namespace genai::node {

/// The same handler in the other form.
AsyncHandler answering_at_once(Handler handler);

/// Runs handlers on threads that live as long as it does: a handler may tie processes to them.
class Workers {
 public:
  /// At most `max_threads` threads, each made when it is first needed.
  Workers(std::uint32_t max_threads, AsyncHandler handler, std::shared_ptr<Mailbox> mailbox);
  /// Aborts what still runs, and waits for the handlers that have not returned.
  ~Workers();

  /// Only by the loop's thread. Its Finished report comes through the mailbox, exactly once.
  void start(SessionCore::Start task);
  void stop(const AssignmentRef& ref);
  /// After its Finished report was taken.
  void forget(const AssignmentRef& ref);

 private:
  struct Job {
    SessionCore::Start task;
    std::shared_ptr<Execution> execution;
  };

  void add_thread();
  void work();
  void run(const Job& job);

  const std::uint32_t max_threads_;
  const AsyncHandler handler_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::map<AssignmentRef, std::shared_ptr<Execution>> executions_;  // the loop's

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::size_t idle_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace genai::node
