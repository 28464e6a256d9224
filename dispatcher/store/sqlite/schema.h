// The tables of tasks.db and how older files become newer ones.
#pragma once

#include <SQLiteCpp/Database.h>

#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// Of the file that this program writes; kept in SQLite's user_version.
inline constexpr int kSchemaVersion = 5;

/// Makes the tables of a new file, or brings an older one up to date, each version in a
/// transaction of its own. kNewer when the file is of a later version, kDamaged when it is not
/// ours. SQLite's own errors are thrown.
Result<void> migrate(SQLite::Database& db);

}  // namespace genai::dispatcher::store
