// Between the dispatcher, which knows what has changed, and the committer, which knows when to
// write it.
#pragma once

#include "dispatcher/dispatcher.h"
#include "dispatcher/store/committer.h"

namespace genai::dispatcher {

/// The end of a pass: tells the committer what the dispatcher wants to promise, and hands in the
/// batch that it needs now. What comes of it is in committer.take_events().
void offer_changes(Dispatcher& dispatcher, Committer& committer, Messages promises, const Now& now);

}  // namespace genai::dispatcher
