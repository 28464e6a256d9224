// What is left to do for a database whose files somebody has removed.
#pragma once

#include <SQLiteCpp/Database.h>

#include "dispatcher/store/sqlite/data_dir.h"

namespace genai::dispatcher::store {

/// DataDir::check_files(). What was committed to files that are gone is lost when this process
/// ends, so all of it is copied while it can still be read; the error names the copy, or says why
/// there is none.
Result<void> check_files(SQLite::Database& database, const DataDir& dir);

}  // namespace genai::dispatcher::store
