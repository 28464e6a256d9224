#include "dispatcher/offer_changes.h"

#include <utility>

namespace genai::dispatcher {

void offer_changes(Dispatcher& dispatcher, Committer& committer, Messages promises,
                   const Now& now) {
  committer.handle(Committer::Pass{std::move(promises), dispatcher.next_commit(),
                                   dispatcher.uncommitted_bytes()},
                   now);
  if (committer.take_stored()) dispatcher.handle_stored();
  switch (committer.needs(now)) {
    case Committer::Needs::kNothing:
      break;
    case Committer::Needs::kChanges: {
      store::Batch batch = dispatcher.take_changes(now, committer.is_stopping());
      committer.handle(Committer::Changes{std::move(batch), dispatcher.next_commit()}, now);
      break;
    }
    case Committer::Needs::kFrees:
      committer.handle(Committer::Frees{dispatcher.take_frees(*committer.stuck())}, now);
      break;
  }
  committer.expire(now);
}

}  // namespace genai::dispatcher
