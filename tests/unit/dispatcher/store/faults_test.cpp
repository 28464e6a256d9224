// The real SQLite on a disk that fails at every operation in turn.
#include <catch2/catch.hpp>
#include <filesystem>

#include "dispatcher/store/sqlite/sqlite_store.h"
#include "tests/unit/dispatcher/store/fault_vfs.h"
#include "tests/unit/dispatcher/store/load_all.h"
#include "tests/unit/dispatcher/store/random_tasks.h"
#include "tests/unit/temp_folder.h"

using namespace genai;
using genai::test::TempFolder;
using namespace genai::dispatcher;
using namespace genai::dispatcher::store;

namespace {

struct Disk {
  SqliteOptions options(std::uint64_t reserve = 0) const {
    return {
        .data_dir = folder.path, .reserve_bytes = reserve, .min_free_bytes = 0, .vfs = "faults"};
  }
  std::unique_ptr<SqliteStore> open(std::uint64_t reserve = 0) {
    auto opened = SqliteStore::open(options(reserve));
    if (!opened) FAIL(opened.error().detail);
    auto acquired = (*opened)->acquire("a test", 1);
    if (!acquired) FAIL(acquired.error().detail);
    lease = *acquired;
    found = load_all(**opened, lease).tasks;
    return std::move(*opened);
  }

  Result<void> commit(SqliteStore& store, Batch batch) const { return store.commit(lease, batch); }

  FaultVfs vfs;
  TempFolder folder;
  Lease lease;                    // of the last open()
  std::vector<TaskRecord> found;  // by it
};

using Operation = FaultVfs::Operation;

/// Some commits, then one that meets the fault.
struct Run {
  explicit Run(Disk& disk, unsigned seed) : history(seed), store(disk.open()) {
    for (int i = 0; i < 10; ++i) REQUIRE(disk.commit(*store, history.next(before)));
    after = before;
    batch = history.next(after, 24);  // many pages
  }
  Model before, after;
  History history;
  std::unique_ptr<SqliteStore> store;
  Batch batch;
};

bool is_same(const std::vector<TaskRecord>& found, const Model& model) {
  if (found.size() != model.size()) return false;
  for (const TaskRecord& task : found) {
    auto it = model.find(task.sequence);
    if (it == model.end() || it->second.log.size() != task.log.size() ||
        it->second.status != task.status || it->second.fetched != task.fetched)
      return false;
  }
  return true;
}

}  // namespace

TEST_CASE("no room at any write: nothing is taken, and the same batch fits later") {
  for (const bool half : {false, true}) {
    int n = 1;
    for (bool more = true; more; ++n) {
      CAPTURE(half, n);
      Disk disk;
      Run run(disk, 5);
      disk.vfs.fail(Operation::kWrite, n, SQLITE_FULL, half);
      const auto failed = disk.commit(*run.store, run.batch);
      more = disk.vfs.was_met();
      if (more) {
        REQUIRE(!failed);
        CHECK(failed.error().failure == Failure::kFull);
        CHECK(!disk.commit(*run.store, run.batch));  // still
        disk.vfs.heal();
        REQUIRE(disk.commit(*run.store, run.batch));
      }
      disk.vfs.heal();
      REQUIRE(disk.commit(*run.store, run.history.next(run.after)));
      run.store.reset();
      disk.open();
      require_equal(disk.found, run.after);
    }
    CHECK(n > 5);
  }
}

TEST_CASE("an error at any write or sync: all of the batch is there afterwards, or nothing") {
  const auto [operation, code] = GENERATE(table<Operation, int>(
      {{Operation::kWrite, SQLITE_IOERR_WRITE}, {Operation::kSync, SQLITE_IOERR_FSYNC}}));
  int n = 1;
  for (bool more = true; more; ++n) {
    CAPTURE(n);
    Disk disk;
    Run run(disk, 6);
    disk.vfs.fail(operation, n, code);
    const auto failed = disk.commit(*run.store, run.batch);
    more = disk.vfs.was_met();
    if (more) {
      REQUIRE(!failed);
      CHECK(failed.error().failure == Failure::kIo);
    }
    disk.vfs.abandon();  // the process stops here
    run.store.reset();
    disk.vfs.heal();
    disk.vfs.lose_power();  // nothing was watched: only ends the failing
    disk.open();
    if (more && is_same(disk.found, run.before))
      require_equal(disk.found, run.before);
    else
      require_equal(disk.found, run.after);
  }
  CHECK(n > (operation == Operation::kSync ? 1 : 5));
}

TEST_CASE("an error while the log is folded into the file loses nothing") {
  const auto [operation, code] = GENERATE(table<Operation, int>(
      {{Operation::kWrite, SQLITE_IOERR_WRITE}, {Operation::kSync, SQLITE_IOERR_FSYNC}}));
  for (int n = 1; n < 40; n += 3) {
    CAPTURE(n);
    Disk disk;
    Run run(disk, 8);
    while (std::filesystem::file_size(disk.folder.path + "/tasks.db-wal") < 9u << 20)
      REQUIRE(disk.commit(*run.store, run.history.next(run.before)));
    disk.vfs.fail(operation, n, code);
    const auto tidied = run.store->tidy();
    if (disk.vfs.was_met()) {
      REQUIRE(!tidied);
      CHECK(tidied.error().failure == Failure::kIo);
    }
    disk.vfs.abandon();
    run.store.reset();
    disk.vfs.heal();
    disk.vfs.lose_power();
    disk.open();
    require_equal(disk.found, run.before);
  }
}

TEST_CASE("power fails: every batch whose commit returned is there") {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Disk disk;
    disk.vfs.watch_syncs();
    Model model;
    History history(seed);
    for (int life = 0; life < 4; ++life) {
      CAPTURE(life);
      auto store = disk.open();
      require_equal(disk.found, model);
      for (unsigned i = 0; i < 5 + seed; ++i) {
        REQUIRE(disk.commit(*store, history.next(model)));
        if (i == seed) REQUIRE(store->tidy());
      }
      disk.vfs.abandon();
      store.reset();
      disk.vfs.lose_power();
    }
  }
}

TEST_CASE("the reserve is given up for what must get in, and made again when there is room") {
  Disk disk;
  const std::string reserve = disk.folder.path + "/reserve";
  Model model;
  History history(4);
  {
    SqliteOptions options = disk.options(1 << 20);
    options.min_free_bytes = std::uint64_t{1} << 60;  // never enough
    auto store = std::move(*SqliteStore::open(options));
    disk.lease = *store->acquire("a test", 1);
    REQUIRE(std::filesystem::file_size(reserve) == 1 << 20);
    CHECK((store->room() == Room::kLow));
    disk.vfs.fail_while_exists(reserve);
    REQUIRE(disk.commit(*store, history.next(model)));
    CHECK(!std::filesystem::exists(reserve));
    REQUIRE(disk.commit(*store, history.next(model)));
    CHECK(!std::filesystem::exists(reserve));  // what room there is is for results
  }
  disk.vfs.heal();
  auto store = disk.open(1 << 20);
  require_equal(disk.found, model);
  CHECK(std::filesystem::exists(reserve));
  CHECK(!(store->room() == Room::kLow));
  std::filesystem::remove(reserve);
  disk.vfs.fail(Operation::kWrite, 1, SQLITE_FULL);
  CHECK(!disk.commit(*store, history.next(model)));  // tried again without the reserve, in vain
}
