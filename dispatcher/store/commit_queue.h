// Which messages wait for which commit. One commit runs while the next gathers.
#pragma once

#include <optional>

#include "dispatcher/effects.h"
#include "dispatcher/store/record.h"

namespace genai::dispatcher {

class Core;

/// Use: hold() what each pass of the loop wants sent durably; then next(), and when it returns a
/// batch commit that, elsewhere, and say committed(); send whatever release() returns. Messages
/// leave in the order in which they were held. Not thread-safe. Pure.
class CommitQueue {
 public:
  void hold(Messages messages);
  /// The batch to commit now: nothing while one runs, or when no commit is due (what is held is
  /// then released: it rests on nothing that was not committed).
  /// `all`: also what could wait, since the process is about to end.
  std::optional<store::Batch> next(Core& core, const Now& now, bool all = false);
  /// The batch that next() returned is on the disk.
  void committed();
  /// What may be sent.
  Messages release() { return std::exchange(released_, {}); }

  bool is_running() const { return running_; }
  /// Messages that wait. What is held beyond kMaxHeld is dropped, as a network would.
  static constexpr std::size_t kMaxHeld = 200'000;
  std::size_t held() const { return held_.size() + in_flight_.size(); }
  /// Whether everything held was released.
  bool is_idle() const { return !running_ && held_.empty() && released_.empty(); }

 private:
  Messages held_;       // for the next commit
  Messages in_flight_;  // for the running one
  Messages released_;
  bool running_ = false;
};

}  // namespace genai::dispatcher
