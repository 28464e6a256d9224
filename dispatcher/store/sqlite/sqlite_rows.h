// Rows of the tables to records and back. Columns have the names and the order of the fields of the
// record, so no statement lists them.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "dispatcher/store/batch.h"
#include "dispatcher/store/sqlite/segments.h"
#include "dispatcher/tasks/data.h"

namespace genai::dispatcher::store {

/// Up to this size a payload or result stands in the row of its task, which is written again with
/// each change; what is larger is kept in the table `blobs`, and what is larger than kLargestInline
/// in a segment, with a row in `large`.
inline constexpr std::size_t kInlineBytes = 4096;
inline constexpr std::size_t kLargestInline = std::size_t{16} << 10;

/// Texts that a statement refers to until it was executed. One for each thread that binds; used
/// again for each row, so that their memory is.
using Texts = std::array<std::string, 6>;

// ---- tasks
std::string insert_task_sql();
/// Changes what can change of the task of that sequence.
std::string update_task_sql();
/// Those after the first parameter and up to the second, by sequence.
std::string select_tasks_sql();
/// The statement refers to `task` and `texts` until it was executed.
void bind_insert(SQLite::Statement& insert, const TaskRecord& task, Texts& texts);
void bind_update(SQLite::Statement& update, const Batch::Change& change, Texts& texts);

// ---- large data
std::string put_large_sql();
std::string select_large_sql();
void bind_large(SQLite::Statement& put, DataKey key, const Extent& extent);

// ---- nodes and measures
std::string put_node_sql();
std::string put_measure_sql();
std::string select_nodes_sql();
/// Those of one node and model in a row.
std::string select_measures_sql();
void bind_node(SQLite::Statement& put, const NodeRow& node, Texts& texts);
void bind_measure(SQLite::Statement& put, const MeasureRow& row, Texts& texts);

// ---- reading: the file may be damaged, so every value is checked. Each throws
// std::invalid_argument, which says what is wrong with which column.
std::uint64_t uint_of(const SQLite::Column& column);
Blob blob_of(const SQLite::Column& column);
TaskRecord read_task(SQLite::Statement& row);
NodeRow read_node(SQLite::Statement& row);
std::pair<DataKey, Extent> read_large(SQLite::Statement& row);
MeasureRow read_measure(SQLite::Statement& row);

}  // namespace genai::dispatcher::store
