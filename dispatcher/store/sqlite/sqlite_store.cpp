#include "dispatcher/store/sqlite/sqlite_store.h"

#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <stdexcept>

#include "dispatcher/store/parts.h"
#include "dispatcher/store/sqlite/rescue.h"
#include "dispatcher/store/sqlite/schema.h"
#include "dispatcher/store/sqlite/sqlite_rows.h"
#include "protocol/base/check.h"
#include "protocol/base/limits.h"

namespace genai::dispatcher::store {
namespace {

// Of a node that nothing was given for so long. Epochs are wall times.
constexpr std::uint64_t kMeasuresKeptMs = 30ull * 24 * 3600 * 1000;
// Another program that writes is waited for; readers never are.
constexpr int kBusyMs = 10'000;
// The WAL is folded into the file when it is this long. Writing over an old WAL syncs twice as fast
// as growing one, so it starts anew sooner while commits are small; folding often would cost large
// ones more than it gains. journal_size_limit is kWalPages, so that the file keeps its length.
constexpr int kWalPages = 8192, kWalPagesOfSmall = 1024;
constexpr std::size_t kSmallBatch = 16;
constexpr std::uint64_t kLargestCommit = 2 * limits::kMaxFrameBytes;  // of one task
// Debian's SQLite overwrites what is deleted: to free 20 MiB would need 20 MiB of WAL first, which
// a full disk does not have.
constexpr const char* kPragmas =
    "PRAGMA secure_delete = FAST; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; "
    "PRAGMA cache_size = -65536;"
    "PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON";

StoreError to_error(const SQLite::Exception& error, const std::string& file) {
  const int extended = error.getExtendedErrorCode();
  const int code = extended > 0 ? extended : error.getErrorCode();
  const std::string what = fmt::format("{}: {} (SQLite {})", file, error.what(), code);
  if (code == SQLITE_IOERR_SHMSIZE) return {Failure::kFull, what + ": the disk is full"};
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {Failure::kFull, what};
    case SQLITE_BUSY:
      return {Failure::kLocked, what + ": another program keeps it locked"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Failure::kDamaged,
              what + ": restore a backup (genai-ctl backup), or try 'sqlite3 tasks.db .recover'"};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {Failure::kNotWritable, what};
    default:
      return {Failure::kIo, what};
  }
}

void bind(SQLite::Statement& sql, int index, std::uint64_t number) {
  sql.bind(index, static_cast<std::int64_t>(number));
}

/// Once more without the reserve, if that is what it takes.
template <class Attempt>
auto with_reserve(DataDir& dir, Attempt attempt) {
  auto result = attempt();
  if (result || result.error().failure != Failure::kFull || !dir.has_reserve()) return result;
  dir.drop_reserve();
  return attempt();
}

int on_wal(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

struct SqliteStore::Statements {
  explicit Statements(SQLite::Database& db)
      : begin(db, "BEGIN IMMEDIATE"),
        commit(db, "COMMIT"),
        epoch(db, "SELECT value FROM meta WHERE key = 'epoch'"),
        insert(db, insert_task_sql()),
        update(db, update_task_sql()),
        fetched(db, "UPDATE tasks SET fetched=1, result=NULL WHERE sequence BETWEEN ? AND ?"),
        put_node(db, put_node_sql()),
        put_measure(db, put_measure_sql()),
        erase(db, "DELETE FROM tasks WHERE sequence BETWEEN ? AND ?"),
        put_blob(db, "INSERT INTO blobs(key, data) VALUES(?,?)"),
        drop_blob(db, "DELETE FROM blobs WHERE key=?"),
        put_large(db, put_large_sql()),
        drop_large(db, "DELETE FROM large WHERE key=?") {}

  void reset() noexcept {
    for (SQLite::Statement* sql :
         {&begin, &commit, &epoch, &insert, &update, &fetched, &put_node, &put_measure, &erase,
          &put_blob, &drop_blob, &put_large, &drop_large})
      sql->tryReset();
  }

  SQLite::Statement begin, commit, epoch, insert, update, fetched, put_node, put_measure, erase,
      put_blob, drop_blob, put_large, drop_large;
};

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteOptions& options) {
  // Nobody asks how much memory it takes, and counting costs a lock for each allocation.
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  auto opened = DataDir::open(options.data_dir, options.reserve_bytes);
  if (!opened) return tl::unexpected(opened.error());
  const auto dir = std::make_shared<DataDir>(std::move(*opened));
  return with_reserve(*dir, [&] { return open_in(dir, options); });
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open_in(const std::shared_ptr<DataDir>& dir,
                                                          const SqliteOptions& options) {
  auto segments = Segments::open(dir->segments());
  if (!segments) return tl::unexpected(segments.error());
  try {
    std::unique_ptr<SqliteStore> store(new SqliteStore(options, dir, std::move(*segments)));
    if (auto migrated = migrate(store->db_); !migrated) return tl::unexpected(migrated.error());
    store->prepare();
    return store;
  } catch (const SQLite::Exception& error) {
    return tl::unexpected(to_error(error, dir->database()));
  }
}

SqliteStore::SqliteStore(const SqliteOptions& options, std::shared_ptr<DataDir> dir,
                         Segments segments)
    : options_(options),
      dir_(std::move(dir)),
      db_(dir_->database(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX,
          kBusyMs, options.vfs),
      large_(std::move(segments), options.largest_inline) {
  db_.exec("PRAGMA page_size = 8192");  // of a new file; a sixth faster than 4096 here
  db_.exec("PRAGMA journal_mode = WAL");
  db_.exec(kPragmas);
}

SqliteStore::~SqliteStore() = default;

void SqliteStore::prepare() {
  const std::string checked = db_.execAndGet("PRAGMA quick_check(1)").getString();
  if (checked != "ok") throw SQLite::Exception(checked, SQLITE_CORRUPT);
  sqlite3_wal_hook(db_.getHandle(), on_wal, &wal_pages_);
  shrink();
  sql_ = std::make_unique<Statements>(db_);
  dir_->remember_files();
  look_at_room();
}

// ---- the lease

std::uint64_t SqliteStore::stored_epoch() {
  SQLite::Statement& sql = sql_->epoch;
  const std::uint64_t epoch =
      sql.executeStep() ? static_cast<std::uint64_t>(sql.getColumn(0).getInt64()) : 0;
  sql.reset();  // one that is under way would keep the WAL from being folded
  return epoch;
}

Result<void> SqliteStore::check_lease(const Lease& lease) {
  const std::uint64_t stored = stored_epoch();
  if (stored == lease.epoch) return {};
  SQLite::Statement owner(db_, "SELECT value FROM meta WHERE key = 'owner'");
  const std::string by =
      owner.executeStep() ? owner.getColumn(0).getString() : "another dispatcher";
  return tl::unexpected(StoreError{
      Failure::kFenced, fmt::format("{} was taken over by {} (epoch {}, this process has {})",
                                    dir_->database(), by, stored, lease.epoch)});
}

void SqliteStore::put_meta(const char* key, std::uint64_t number) {
  SQLite::Statement sql(db_, "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)");
  sql.bind(1, key);
  bind(sql, 2, number);
  sql.exec();
}

/// A fleet of volunteers brings ever new names.
void SqliteStore::forget_old_measures(std::uint64_t wall_ms) {
  SQLite::Statement old(db_, "DELETE FROM measures WHERE updated_ms < ?");
  bind(old, 1, wall_ms - std::min(wall_ms, kMeasuresKeptMs));
  old.exec();
  db_.exec("DELETE FROM nodes WHERE drained = 0 AND node_id NOT IN (SELECT node_id FROM measures)");
}

Result<Lease> SqliteStore::acquire(std::string_view owner, std::uint64_t least_epoch) {
  if (!owner_.empty())
    return tl::unexpected(
        StoreError{Failure::kInUse, fmt::format("{} is in use by {}", dir_->database(), owner_)});
  auto lease = with_reserve(*dir_, [&] { return try_acquire(owner, least_epoch); });
  if (lease) owner_ = owner;
  look_at_room();
  return lease;
}

Result<Lease> SqliteStore::try_acquire(std::string_view owner, std::uint64_t least_epoch) {
  try {
    SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);
    const std::uint64_t stored = stored_epoch();
    if (stored >= INT64_MAX)
      return tl::unexpected(
          StoreError{Failure::kDamaged,
                     fmt::format("{} is damaged: its epoch makes no sense; restore a backup",
                                 dir_->database())});
    const std::uint64_t epoch = std::max(stored + 1, least_epoch);
    put_meta("epoch", epoch);
    SQLite::Statement sql(db_, "INSERT OR REPLACE INTO meta(key, value) VALUES('owner', ?)");
    sql.bind(1, std::string(owner));
    sql.exec();
    forget_old_measures(epoch);
    transaction.commit();
    reader_.emplace(db_, blobs_, large_.index());
    if (!large_.begin())
      return tl::unexpected(
          StoreError{Failure::kDamaged,
                     fmt::format("{} has none of the files to which {} refers: restore the folder "
                                 "together with the file",
                                 large_.folder(), dir_->database())});
    return Lease{epoch};
  } catch (const SQLite::Exception& error) {
    return tl::unexpected(to_error(error, dir_->database()));
  } catch (const std::invalid_argument& error) {
    return tl::unexpected(damaged("its table large", error));
  }
}

Result<Lease> SqliteStore::renew(const Lease& lease, std::uint64_t least_epoch) {
  auto renewed = with_reserve(*dir_, [&] { return try_renew(lease, least_epoch); });
  if (renewed)
    if (auto there = check_files(db_, *dir_); !there) renewed = tl::unexpected(there.error());
  look_at_room();
  return renewed;
}

Result<Lease> SqliteStore::try_renew(const Lease& lease, std::uint64_t least_epoch) {
  try {
    if (least_epoch <= lease.epoch) {
      if (auto held = check_lease(lease); !held) return tl::unexpected(held.error());
      return lease;
    }
    SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);
    if (auto held = check_lease(lease); !held) return tl::unexpected(held.error());
    put_meta("epoch", least_epoch);
    transaction.commit();
    return Lease{least_epoch};
  } catch (const SQLite::Exception& error) {
    return tl::unexpected(to_error(error, dir_->database()));
  }
}

// ---- reading

StoreError SqliteStore::damaged(const std::string& where, const std::exception& error) const {
  return {Failure::kDamaged, fmt::format("{} is damaged: {}: {}; restore a backup",
                                         dir_->database(), where, error.what())};
}

Result<Page> SqliteStore::load(const Lease& lease, const Cursor& from) {
  GENAI_CHECK(reader_.has_value());
  try {
    if (auto held = check_lease(lease); !held) return tl::unexpected(held.error());
    Page page = reader_->read(from);
    if (!page.next) reader_.reset();
    return page;
  } catch (const SQLite::Exception& error) {
    return tl::unexpected(to_error(error, dir_->database()));
  } catch (const std::invalid_argument& error) {
    return tl::unexpected(damaged(reader_->where(), error));
  }
}

// ---- writing

Result<void> SqliteStore::commit(const Lease& lease, Batch& batch) {
  large_.share_payloads(batch);
  auto result = commit_in_parts(batch, [&](const Batch& part) { return commit_part(lease, part); });
  // What did fit may have freed the room for the rest: it is tried again.
  if (!result && result.error().failure == Failure::kFull) large_.give_room_back();
  return result;
}

Result<void> SqliteStore::commit_part(const Lease& lease, const Batch& batch) {
  auto result = try_commit(lease, batch);
  // A WAL that cannot grow can start anew: the file may have room inside. If that has to grow
  // first, the reserve is for it: a commit would only make the WAL longer.
  for (bool again = true; again && !result && result.error().failure == Failure::kFull;) {
    again = dir_->has_reserve();
    result = fold_wal();
    if (result) result = try_commit(lease, batch);
    if (!result && again) dir_->drop_reserve();
  }
  if (result) result = check_files(db_, *dir_);
  look_at_room();
  return result;
}

Result<void> SqliteStore::try_commit(const Lease& lease, const Batch& batch) {
  if (batch.empty()) return {};
  try {
    new_blobs_.clear();
    gone_blobs_.clear();
    if (auto written = large_.write(batch); !written) return written;
    sql_->reset();
    sql_->begin.exec();
    // Nobody else can change it before this transaction ends.
    if (auto held = check_lease(lease); !held) {
      roll_back();
      large_.roll_back();
      return held;
    }
    write(batch);
    sql_->commit.exec();
  } catch (const SQLite::Exception& error) {
    const StoreError reason = to_error(error, dir_->database());
    roll_back();
    // After another error nobody knows whether the rows are on the disk.
    if (reason.failure == Failure::kFull || reason.failure == Failure::kLocked) large_.roll_back();
    return tl::unexpected(reason);
  }
  blobs_.insert(new_blobs_.begin(), new_blobs_.end());
  for (const std::uint64_t key : gone_blobs_) blobs_.erase(key);
  large_.keep();
  last_batch_ = batch.size();
  return {};
}

void SqliteStore::write(const Batch& batch) {
  for (const TaskRecord& task : batch.added) insert(task);
  for (const Batch::Change& change : batch.changed) update(change);
  drop_results(batch.fetched);
  erase(batch.erased);
  for (const NodeRow& node : batch.nodes) put_node(node);
  for (const MeasureRow& measure : batch.measures) put_measure(measure);
}

void SqliteStore::roll_back() noexcept {
  sql_->reset();
  if (sqlite3_get_autocommit(db_.getHandle()) == 0) db_.tryExec("ROLLBACK");
}

void SqliteStore::insert(const TaskRecord& task) {
  bind_insert(sql_->insert, task, texts_);
  sql_->insert.exec();
  put_data(payload_key(task.sequence), task.payload);
  put_data(result_key(task.sequence), task.result);
}

void SqliteStore::update(const Batch::Change& change) {
  using Change = Batch::Data;
  const TaskRecord& task = change.record;
  bind_update(sql_->update, change, texts_);
  sql_->update.exec();
  if (change.payload == Change::kClear) drop_data(payload_key(task.sequence));
  if (change.result == Change::kClear) drop_data(result_key(task.sequence));
  if (change.result == Change::kSet) put_data(result_key(task.sequence), task.result);
}

void SqliteStore::run(SQLite::Statement& sql, std::uint64_t key) {
  sql.reset();
  bind(sql, 1, key);
  sql.exec();
}

/// One statement for neighbours: tasks mostly end in the order in which they came.
void SqliteStore::run_over(SQLite::Statement& sql, std::vector<std::uint64_t> sequences) {
  std::ranges::sort(sequences);
  for (auto first = sequences.begin(); first != sequences.end();) {
    auto last = first;
    for (auto next = last + 1; next != sequences.end() && *next == *last + 1; ++next) last = next;
    sql.reset();
    bind(sql, 1, *first);
    bind(sql, 2, *last);
    sql.exec();
    first = last + 1;
  }
}

void SqliteStore::erase(const std::vector<std::uint64_t>& sequences) {
  run_over(sql_->erase, sequences);
  for (const std::uint64_t sequence : sequences) {
    drop_data(payload_key(sequence));
    drop_data(result_key(sequence));
  }
}

void SqliteStore::drop_results(const std::vector<std::uint64_t>& sequences) {
  run_over(sql_->fetched, sequences);
  for (const std::uint64_t sequence : sequences) drop_data(result_key(sequence));
}

void SqliteStore::put_node(const NodeRow& node) {
  bind_node(sql_->put_node, node, texts_);
  sql_->put_node.exec();
}

void SqliteStore::put_measure(const MeasureRow& row) {
  bind_measure(sql_->put_measure, row, texts_);
  sql_->put_measure.exec();
}

// ---- payloads and results

void SqliteStore::put_data(DataKey key, const Data& data) {
  if (const auto extent = large_.extent_of(key)) {
    bind_large(sql_->put_large, key, *extent);
    sql_->put_large.exec();
  } else if (data.size() > kInlineBytes) {
    SQLite::Statement& sql = sql_->put_blob;
    sql.reset();
    bind(sql, 1, key);
    sql.bindNoCopy(2, static_cast<const void*>(data.view().data()), static_cast<int>(data.size()));
    sql.exec();
    new_blobs_.push_back(key);
  }
}

void SqliteStore::drop_data(DataKey key) {
  if (blobs_.contains(key)) {
    run(sql_->drop_blob, key);
    gone_blobs_.push_back(key);
  } else if (large_.drop(key)) {
    run(sql_->drop_large, key);
  }
}

// ---- room

Result<void> SqliteStore::tidy() {
  large_.give_room_back();
  // While room is short the WAL keeps none that the file may need.
  const int most = low_ ? 1 : last_batch_ <= kSmallBatch ? kWalPagesOfSmall : kWalPages;
  return wal_pages_ < most ? Result<void>() : fold_wal();
}

Result<void> SqliteStore::fold_wal() {
  wal_pages_ = 0;
  const int code = sqlite3_wal_checkpoint_v2(db_.getHandle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  // Without room the log merely stays long; everything in it is safe.
  if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_FULL) return {};
  return tl::unexpected(to_error(SQLite::Exception(db_.getHandle(), code), dir_->database()));
}

std::uint64_t SqliteStore::pragma_bytes(const char* pages) {
  try {
    const std::int64_t count = db_.execAndGet(pages).getInt64();
    const std::int64_t bytes = db_.execAndGet("PRAGMA page_size").getInt64();
    return static_cast<std::uint64_t>(count * bytes);
  } catch (const SQLite::Exception&) {
    return 0;  // the next commit tells why
  }
}

/// A file that is mostly free pages gives them back where they are missed, at a start: it is
/// written anew, which takes as much room as there is in use.
void SqliteStore::shrink() {
  const std::uint64_t room = dir_->free_bytes();
  if (room >= enough_bytes() + dir_->reserve_bytes()) return;
  const std::uint64_t unused = free_page_bytes();
  const std::uint64_t used = pragma_bytes("PRAGMA page_count") - unused;
  if (unused < 2 * used || room < 2 * used) return;
  db_.tryExec("VACUUM");
  db_.tryExec("PRAGMA wal_checkpoint(TRUNCATE)");
}

void SqliteStore::look_at_room() {
  const std::uint64_t room = dir_->free_bytes();
  if (!dir_->has_reserve() && room >= enough_bytes() + dir_->reserve_bytes()) dir_->make_reserve();
  const std::uint64_t wanted = low_ ? enough_bytes() : options_.min_free_bytes;
  // The file does not shrink, and what was freed in it is used again; but whatever is written takes
  // room in the WAL first.
  const std::uint64_t least = low_ ? kLargestCommit + kLargestCommit / 4 : kLargestCommit;
  low_ = !dir_->has_reserve() || room < std::min(wanted, least) ||
         (room < wanted && room + free_page_bytes() < wanted);
}

}  // namespace genai::dispatcher::store
