// The threads that run the handler, and what they report to the loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "genai/node.h"
#include "protocol/wire/messages.h"
#include "tools/node/session_core.h"

namespace genai::node {

/// What other threads tell the loop's.
struct Report {
  struct Progress {
    AssignmentRef ref;
    double fraction;
    std::string text;
  };
  struct Finished {
    AssignmentRef ref;
    TaskResult result;
  };
  struct Leave {
    std::string reason;
  };
  struct Force {};
  struct LoadedModels {
    std::vector<std::string> models;
  };
  using Kind = std::variant<Progress, Finished, Leave, Force, LoadedModels>;
};

/// Many writers, one reader that polls a descriptor. Thread-safe.
class Mailbox {
 public:
  /// Throws std::system_error when there is no descriptor left.
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void put(Report::Kind report);
  /// Replaces the progress of that task which has not been taken yet, so that a handler that
  /// reports in a tight loop fills no memory.
  void put_progress(Report::Progress progress);
  /// All that waits, in order; never blocks.
  std::vector<Report::Kind> take();
  /// Readable while something waits.
  int fd() const { return fd_; }

 private:
  void signal();

  int fd_;
  std::mutex mutex_;
  std::vector<Report::Kind> reports_;
};

/// Runs handlers on threads that live as long as it does: a handler may tie processes to them.
class Workers {
 public:
  /// At most `slots` threads, each made when it is first needed.
  Workers(std::uint32_t slots, Handler handler, Mailbox& mailbox);
  /// Aborts what still runs, then waits for it.
  ~Workers();

  /// Only by the loop's thread. Its Finished report comes through the mailbox, exactly once.
  void start(Effects::Start task);
  void stop(const AssignmentRef& ref);
  /// After its Finished report was taken.
  void forget(const AssignmentRef& ref);

 private:
  class Context;
  struct Job {
    Effects::Start task;
    std::shared_ptr<Context> context;
  };

  void add_thread();
  void work();
  void run(const Job& job);

  const std::uint32_t slots_;
  const Handler handler_;
  Mailbox& mailbox_;
  std::map<AssignmentRef, std::shared_ptr<Context>> contexts_;  // the loop's

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::size_t idle_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace genai::node
