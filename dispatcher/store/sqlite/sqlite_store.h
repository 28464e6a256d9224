// The durable store: one SQLite file in WAL mode, synced with every commit.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "dispatcher/store/sqlite/data_dir.h"
#include "dispatcher/store/sqlite/large_data.h"
#include "dispatcher/store/sqlite/page_reader.h"
#include "dispatcher/store/sqlite/segments.h"
#include "dispatcher/store/sqlite/sqlite_rows.h"
#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

struct SqliteOptions {
  std::string data_dir;
  std::uint64_t reserve_bytes = 64u << 20;    // given up when the disk is full
  std::uint64_t min_free_bytes = 256u << 20;  // Room::kLow below it
  std::uint64_t largest_inline = kLargestInline;
  std::string vfs;  // of SQLite; empty: its default (tests put faults here)
};

/// Tables: schema.cpp. Uses the folder alone (DataDir); readers, such as the sqlite3 shell and
/// online backups, may look on. See Store for the contract.
///
/// The lease is the lock on the folder, which lasts as long as this object, and the row `epoch`:
/// each transaction that writes finds its own epoch there, or writes nothing. So nothing is lost
/// where the lock does not hold (its file was removed, or the disk of another machine takes none).
class SqliteStore : public Store {
 public:
  static Result<std::unique_ptr<SqliteStore>> open(const SqliteOptions& options);
  ~SqliteStore() override;

  std::string_view name() const override { return "sqlite"; }
  bool is_durable() const override { return true; }
  Result<Lease> acquire(std::string_view owner, std::uint64_t least_epoch) override;
  Result<Lease> renew(const Lease& lease, std::uint64_t least_epoch) override;
  Result<Page> load(const Lease& lease, const Cursor& from) override;
  Result<void> commit(const Lease& lease, Batch& batch) override;
  Room room() const override { return low_ ? Room::kLow : Room::kEnough; }
  std::size_t largest_inline() const override { return options_.largest_inline; }
  std::uint64_t disk_bytes() const override { return dir_->disk_bytes(); }
  std::unique_ptr<DataReader> reader() override { return large_.reader(); }
  Result<void> tidy() override;

 private:
  SqliteStore(const SqliteOptions& options, std::shared_ptr<DataDir> dir, Segments segments);
  static Result<std::unique_ptr<SqliteStore>> open_in(const std::shared_ptr<DataDir>& dir,
                                                      const SqliteOptions& options);
  Result<Lease> try_acquire(std::string_view owner, std::uint64_t least_epoch);
  Result<Lease> try_renew(const Lease& lease, std::uint64_t least_epoch);
  std::uint64_t stored_epoch();
  void put_meta(const char* key, std::uint64_t number);
  StoreError damaged(const std::string& where, const std::exception& error) const;
  void forget_old_measures(std::uint64_t wall_ms);
  Result<void> check_lease(const Lease& lease);
  void prepare();
  void write(const Batch& batch);
  static void run(SQLite::Statement& sql, std::uint64_t key);
  void insert(const TaskRecord& task);
  void update(const Batch::Change& change);
  static void run_over(SQLite::Statement& sql, std::vector<std::uint64_t> sequences);
  void drop_results(const std::vector<std::uint64_t>& sequences);
  void erase(const std::vector<std::uint64_t>& sequences);
  void put_node(const NodeRow& node);
  void put_measure(const MeasureRow& row);
  void put_data(DataKey key, const Data& data);
  void drop_data(DataKey key);
  Result<void> commit_part(const Lease& lease, const Batch& batch);
  Result<void> try_commit(const Lease& lease, const Batch& batch);
  Result<void> fold_wal();
  void roll_back() noexcept;
  /// With some distance from the limit, so that the state does not flutter.
  std::uint64_t enough_bytes() const {
    return options_.min_free_bytes + options_.min_free_bytes / 4;
  }
  std::uint64_t pragma_bytes(const char* pages);
  std::uint64_t free_page_bytes() { return pragma_bytes("PRAGMA freelist_count"); }
  void shrink();
  void look_at_room();

  struct Statements;

  SqliteOptions options_;
  std::shared_ptr<DataDir> dir_;  // never null
  SQLite::Database db_;
  std::unique_ptr<Statements> sql_;
  Texts texts_;                                        // of the row that is being written
  std::string owner_;                                  // empty: the lease was not acquired yet
  std::optional<PageReader> reader_;                   // until the last page
  std::unordered_set<std::uint64_t> blobs_;            // keys that exist
  std::vector<std::uint64_t> new_blobs_, gone_blobs_;  // by the transaction under way
  LargeData large_;
  int wal_pages_ = 0;
  std::size_t last_batch_ = 0;
  bool low_ = false;
};

}  // namespace genai::dispatcher::store
