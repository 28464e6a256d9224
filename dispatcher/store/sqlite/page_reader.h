// Reads what earlier processes left in tasks.db, page by page. The file may be damaged: everything
// is checked.
#pragma once

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>

#include "dispatcher/store/sqlite/extent_index.h"
#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// Not thread-safe.
class PageReader {
 public:
  /// A page ends with the task with which it has so many, or so many bytes.
  static constexpr std::size_t kPageTasks = 1000;
  static constexpr std::size_t kPageBytes = std::size_t{16} << 20;

  /// `blobs`: the keys that are known to be in the table of that name. Those that are read are
  /// added. `large`: gets all that the table of that name has now. Tasks that are added to the
  /// database from now on are in no page.
  PageReader(SQLite::Database& db, std::unordered_set<std::uint64_t>& blobs, ExtentIndex& large);

  /// Pages must be read in their order. Throws SQLite::Exception, or std::invalid_argument, which
  /// says what makes no sense with what where() tells.
  Page read(const Cursor& from);
  /// What was being read.
  const std::string& where() const { return where_; }

 private:
  class Blobs;

  void read_fleet(Page& page);
  void read_large_rows();
  void attach_large(Data& data, DataKey key);
  void check(const TaskRecord& task);

  SQLite::Database& db_;
  std::unordered_set<std::uint64_t>& blobs_;
  ExtentIndex& large_;
  std::unordered_set<DataKey> unattached_;  // of large_, whose tasks are in no page yet
  const std::uint64_t last_;                // sequence
  std::unordered_set<std::string> ids_;     // of the tasks in the pages so far
  std::string where_;
};

}  // namespace genai::dispatcher::store
