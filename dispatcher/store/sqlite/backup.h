// A copy of the SQLite store: one file of mode 0600 that needs no other beside it.
#pragma once

#include <string>

#include "dispatcher/store/backup.h"

namespace genai::dispatcher::store {

/// See back_up(). It is restored by putting it in the place of DATA_DIR/tasks.db.
BackupSummary back_up_sqlite(const Options& options, const std::string& file, bool force);

}  // namespace genai::dispatcher::store
