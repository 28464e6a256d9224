// Rows of the tables to records. The file may be damaged: every value is checked.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>

#include "dispatcher/store/record.h"

namespace genai::dispatcher::store {

/// Each throws std::invalid_argument, which says what is wrong with which column.
std::uint64_t uint_of(const SQLite::Column& column);
Blob blob_of(const SQLite::Column& column);

/// The columns in the order in which SqliteStore::load() asks for them.
TaskRecord read_task(SQLite::Statement& row);
NodeRow read_node(SQLite::Statement& row);
MeasureRow read_measure(SQLite::Statement& row);

}  // namespace genai::dispatcher::store
