#include "dispatcher/store/commit_queue.h"

#include <iterator>
#include <utility>

#include "dispatcher/core.h"
#include "protocol/base/check.h"
#include "protocol/base/planted.h"

namespace genai::dispatcher {
namespace {

template <class T>
void append(std::vector<T>& to, std::vector<T>&& from) {
  if (to.empty())
    to = std::move(from);
  else
    to.insert(to.end(), std::move_iterator(from.begin()), std::move_iterator(from.end()));
  from.clear();
}

void append(Messages& to, Messages&& from) {
  append(to.to_brokers, std::move(from.to_brokers));
  append(to.to_clients, std::move(from.to_clients));
}

}  // namespace

void CommitQueue::hold(Messages messages) {
  if (GENAI_PLANTED(kSendUncommitted)) return append(released_, std::move(messages));
  // Nothing that is dropped is lost: acknowledgements are asked for again, and so are answers.
  if (held() < kMaxHeld) append(held_, std::move(messages));
}

std::optional<store::Batch> CommitQueue::next(Core& core, const Now& now, bool all) {
  if (running_) return std::nullopt;
  store::Batch batch;
  if (core.is_commit_due(now.mono) || all) batch = core.take_changes(now, all);
  if (batch.empty()) {  // nothing to write, or what was new is gone again
    append(released_, std::exchange(held_, {}));
    return std::nullopt;
  }
  running_ = true;
  in_flight_ = std::exchange(held_, {});
  return batch;
}

void CommitQueue::committed() {
  GENAI_CHECK(running_);
  running_ = false;
  append(released_, std::exchange(in_flight_, {}));
}

}  // namespace genai::dispatcher
