// A commit that goes in piece by piece when the room there is does not take all of it at once.
#pragma once

#include <functional>

#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// Commits the batch by `commit`. While that says kFull the batch is cut into ever smaller parts,
/// those that free room first: nothing that waits for the batch was told to anybody yet, and a task
/// is in one part only, so a crash in between is one before the commit. After an error the batch
/// holds what is not on the disk, to be tried again; after success it is spent.
Result<void> commit_in_parts(Batch& batch, const std::function<Result<void>(const Batch&)>& commit);

/// Moves all entries of `from` behind those of `to`; no task may be in both.
void append(Batch& to, Batch&& from);

}  // namespace genai::dispatcher::store
