// What other threads tell the node's loop.
#pragma once

#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "genai/node.h"
#include "protocol/base/wakeup.h"
#include "protocol/wire/assignment_ref.h"

namespace genai::node {

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

/// Many writers, one reader that polls a descriptor. Thread-safe. Throws std::system_error when
/// there is no descriptor left.
class Mailbox {
 public:
  void put(Report::Kind report);
  /// Replaces the progress of that task which has not been taken yet, so that a handler that
  /// reports in a tight loop fills no memory.
  void put_progress(Report::Progress progress);
  /// All that waits, in order; never blocks.
  std::vector<Report::Kind> take();
  /// Readable while something waits.
  int fd() const { return wakeup_.fd(); }

 private:
  Wakeup wakeup_;
  std::mutex mutex_;
  std::vector<Report::Kind> reports_;
};

}  // namespace genai::node
