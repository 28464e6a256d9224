// Where other threads leave their reports for the node's loop.
#pragma once

#include <mutex>
#include <vector>

#include "protocol/base/wakeup.h"
#include "tools/node/report.h"

namespace genai::node {

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
