#include "dispatcher/offer_changes.h"

#include <utility>

namespace genai::dispatcher {

void offer_changes(Core& core, Committer& committer, Messages promises, const Now& now) {
  committer.handle(
      Committer::Pass{std::move(promises), core.next_commit(), core.uncommitted_bytes()}, now);
  switch (committer.needs(now)) {
    case Committer::Needs::kNothing:
      break;
    case Committer::Needs::kChanges: {
      store::Batch batch = core.take_changes(now, committer.is_stopping());
      committer.handle(Committer::Changes{std::move(batch), core.next_commit()}, now);
      break;
    }
    case Committer::Needs::kFrees:
      committer.handle(Committer::Frees{core.take_frees(*committer.stuck())}, now);
      break;
  }
  committer.expire(now);
}

}  // namespace genai::dispatcher
