// What is committed is there after a restart; what cannot be read is refused with words.
#include "dispatcher/store/sqlite/sqlite_store.h"

#include <SQLiteCpp/Database.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "dispatcher/store/backup.h"
#include "dispatcher/store/start.h"
#include "tests/unit/dispatcher/store/load_all.h"
#include "tests/unit/dispatcher/store/random_tasks.h"
#include "tests/unit/temp_folder.h"

using namespace genai;
using genai::test::TempFolder;
using namespace genai::dispatcher;
using namespace genai::dispatcher::store;

namespace {

using Catch::Matchers::Contains;

SqliteOptions options_of(const TempFolder& folder) {
  return {.data_dir = folder.path, .reserve_bytes = 0, .min_free_bytes = 0, .vfs = {}};
}

/// Nothing stands apart, as in the files of version 4.
SqliteOptions inline_options_of(const TempFolder& folder) {
  SqliteOptions options = options_of(folder);
  options.largest_inline = SIZE_MAX;
  return options;
}

/// A process that has the store.
struct Life {
  explicit Life(const SqliteOptions& options, std::uint64_t least_epoch = 1) {
    auto opened = SqliteStore::open(options);
    if (!opened) FAIL(opened.error().detail);
    store = std::move(*opened);
    lease = *store->acquire("a test", least_epoch);
    found = load_all(*store, lease);
  }
  explicit Life(const TempFolder& folder, std::uint64_t least_epoch = 1)
      : Life(options_of(folder), least_epoch) {}

  Result<void> commit(Batch batch) { return store->commit(lease, batch); }

  std::unique_ptr<SqliteStore> store;
  Lease lease;
  Loaded found;
};

/// Why a start on this folder is refused.
StoreError refusal(const TempFolder& folder) {
  auto opened = SqliteStore::open(options_of(folder));
  if (!opened) return opened.error();
  auto lease = (*opened)->acquire("a test", 1);
  if (!lease) return lease.error();
  auto loaded = try_load_all(**opened, *lease);
  REQUIRE(!loaded);
  return loaded.error();
}

/// A store with some tasks, closed.
void fill(const TempFolder& folder, unsigned tasks = 200) {
  Life life(folder);
  RandomTasks random(1);
  Batch batch;
  for (unsigned i = 1; i <= tasks; ++i)
    batch.added.push_back(random.task(i, TaskStatus::kUnscheduled));
  REQUIRE(life.commit(batch));
}

void edit(const TempFolder& folder, const std::string& sql) {
  SQLite::Database(folder.path + "/tasks.db", SQLite::OPEN_READWRITE).exec(sql);
}

}  // namespace

TEST_CASE("a random history is there after each restart") {
  TempFolder folder;
  Model model;
  History history(7);
  for (int life = 0; life < 12; ++life) {
    CAPTURE(life);
    Life process(folder);
    require_equal(process.found.tasks, model);
    for (int commit = 0; commit < 25; ++commit) {
      REQUIRE(process.commit(history.next(model)));
      REQUIRE(process.store->tidy());
    }
  }
  CHECK(model.size() > 50);
}

TEST_CASE("nodes and what was measured of them are kept, and forgotten after a month") {
  TempFolder folder;
  const NodeId drained = *NodeId::parse("drained"), busy = *NodeId::parse("busy"),
               gone = *NodeId::parse("gone");
  constexpr std::uint64_t kDay = 24ull * 3600 * 1000, kNow = 1'700'000'000'000;
  const auto row = [](const NodeId& node, std::uint8_t size, std::uint64_t at) {
    return MeasureRow{node, "sdxl", size, 4.5, -1.25, 0.5, 2, 3, 0.25, 9, 1, 3, at};
  };
  Batch batch;
  batch.nodes = {{busy, false, 9, 7, 1, 1}, {drained, true, 0, 0, 0, 0}, {gone, false, 1, 1, 0, 0}};
  batch.measures = {row(busy, 0, kNow - kDay), row(busy, 33, kNow), row(gone, 0, kNow - 31 * kDay)};
  {
    Life life(folder);
    REQUIRE(life.commit(batch));
    batch.nodes[0].completed = 8;
    batch.measures[1].runs = 5.5;
    REQUIRE(life.commit(batch));
  }
  {
    const Life life(folder);
    CHECK(life.found.nodes == batch.nodes);
    CHECK(life.found.measures == batch.measures);
  }
  const Loaded later = Life(folder, kNow).found;
  CHECK(later.nodes == std::vector(batch.nodes.begin(), batch.nodes.begin() + 2));
  CHECK(later.measures == std::vector(batch.measures.begin(), batch.measures.begin() + 2));
}

TEST_CASE("files are for their owner only") {
  TempFolder folder;
  fill(folder, 1);
  const Life life(folder);
  for (const char* name : {"tasks.db", "tasks.db-wal", "lock"}) {
    struct stat found {};
    REQUIRE(stat((folder.path + "/" + name).c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0600);
  }
}

TEST_CASE("the epoch grows, over the stored one and over wall time") {
  TempFolder folder;
  const Options options{
      .kind = "sqlite", .data_dir = folder.path, .reserve_bytes = 0, .min_free_bytes = 0};
  const auto epoch_at = [&](std::uint64_t wall_ms) {
    return start(options, "a test", wall_ms)->lease.epoch;
  };
  CHECK(epoch_at(1'000) == 1'000);
  CHECK(epoch_at(5'000) == 5'000);
  CHECK(epoch_at(2'000) == 5'001);  // the clock went back
  CHECK(epoch_at(2'000) == 5'002);
}

TEST_CASE("one dispatcher at a time") {
  TempFolder folder;
  {
    const Life first(folder);
    const StoreError error = refusal(folder);
    CHECK(error.failure == Failure::kInUse);
    CHECK_THAT(error.detail, Contains(folder.path) && Contains(std::to_string(getpid())));
  }
  CHECK(SqliteStore::open(options_of(folder)));
}

TEST_CASE("who was fenced is told who did it") {
  TempFolder folder;
  Life life(folder);
  edit(folder,
       "UPDATE meta SET value = value + 1 WHERE key = 'epoch';"
       "UPDATE meta SET value = 'the other one' WHERE key = 'owner'");
  Batch batch;
  batch.nodes = {{*NodeId::parse("n"), true, 0, 0, 0, 0}};
  const auto refused = life.commit(batch);
  REQUIRE(!refused);
  CHECK(refused.error().failure == Failure::kFenced);
  CHECK_THAT(refused.error().detail, Contains("taken over by the other one (epoch 2"));
  REQUIRE(!life.store->renew(life.lease, 0));
}

TEST_CASE("a load is read in pages of bounded size, the data of each task with it") {
  TempFolder folder;
  constexpr std::uint64_t kLarge = 12, kSmall = PageReader::kPageTasks + 1;
  {
    Life life(inline_options_of(folder));
    RandomTasks random(2);
    Batch batch;
    for (std::uint64_t i = 1; i <= kLarge + kSmall; ++i) {
      TaskRecord task = random.task(2 * i, TaskStatus::kUnscheduled);  // with gaps
      task.payload = Blob(std::string(i <= kLarge ? PageReader::kPageBytes / 4 : 10, 'p'));
      task.digest = content_digest(task.spec.raw(), task.payload.view());
      batch.added.push_back(std::move(task));
    }
    REQUIRE(life.commit(batch));
  }
  auto store = std::move(*SqliteStore::open(inline_options_of(folder)));
  const Lease lease = *store->acquire("a test", 1);
  std::vector<std::size_t> sizes;
  std::uint64_t last = 0;
  for (std::optional<Cursor> next = Cursor{}; next;) {
    const auto page = store->load(lease, *next);
    REQUIRE(page);
    sizes.push_back(page->tasks.size());
    for (const TaskRecord& task : page->tasks) {
      CHECK(task.sequence == last + 2);
      last = task.sequence;
      CHECK(task.payload.size() == (last <= 2 * kLarge ? PageReader::kPageBytes / 4 : 10));
    }
    next = page->next;
  }
  CHECK(sizes == std::vector<std::size_t>{4, 4, 4, PageReader::kPageTasks, 1});
}

TEST_CASE("what this program cannot read is refused, and left as it is") {
  TempFolder folder;
  fill(folder);
  const std::string file = folder.path + "/tasks.db";
  const auto size = std::filesystem::file_size(file);
  SECTION("a newer version") {
    edit(folder, "PRAGMA user_version = 99");
    const StoreError error = refusal(folder);
    CHECK(error.failure == Failure::kNewer);
    CHECK_THAT(error.detail, Contains("version 99"));
  }
  SECTION("another program's database") {
    edit(folder, "PRAGMA application_id = 1");
    CHECK(refusal(folder).failure == Failure::kDamaged);
  }
  SECTION("no database at all") {
    std::ofstream(file) << std::string(10'000, 'x');
    CHECK(refusal(folder).failure == Failure::kDamaged);
  }
  SECTION("cut short") {
    std::filesystem::resize_file(file, size / 2);
    CHECK(refusal(folder).failure == Failure::kDamaged);
  }
  SECTION("a page overwritten") {
    std::fstream raw(file, std::ios::in | std::ios::out | std::ios::binary);
    raw.seekp(static_cast<std::streamoff>(size / 2));
    raw << std::string(8192, '\x5a');
    raw.close();
    const StoreError error = refusal(folder);
    CHECK(error.failure == Failure::kDamaged);
    CHECK_THAT(error.detail, Contains(file) && Contains("backup"));
  }
  SECTION("a payload that is not what was accepted") {
    edit(folder, "UPDATE tasks SET payload = payload || 'x' WHERE payload IS NOT NULL");
    const StoreError error = refusal(folder);
    CHECK(error.failure == Failure::kDamaged);
    CHECK_THAT(error.detail, Contains("task:") && Contains("payload"));
  }
  SECTION("data in two places") {
    edit(folder,
         "INSERT INTO blobs(key, data) SELECT 2 * sequence, 'x' FROM tasks"
         " WHERE payload IS NOT NULL");
    CHECK(refusal(folder).failure == Failure::kDamaged);
  }
  SECTION("an id that occurs twice") {
    edit(folder, "UPDATE tasks SET task_id = 'task:4' WHERE sequence = 3");
    CHECK_THAT(refusal(folder).detail, Contains("twice"));
  }
  SECTION("values that make no sense") {
    const char* nonsense =
        GENERATE("status = 9", "status = 1", "status = 4", "ended_ms = 5", "code = 12345",
                 "log = '[]'", "log = '[[1,0,\"x\",\"\"]]'", "log = 'x'",
                 "attempts = '[[1,2,\"zz\",\"n\",0,0]]'", "attempts = '[1]'", "current = 77",
                 "spec = x'c1'", "info = x'91'", "task_id = 'a b'", "digest = x'00'", "faults = -1",
                 "losses = 99999999999", "priority = 10", "priority = -2", "priority = 261");
    CAPTURE(nonsense);
    edit(folder, std::string("UPDATE tasks SET ") + nonsense + " WHERE sequence = 3");
    const StoreError error = refusal(folder);
    CHECK(error.failure == Failure::kDamaged);
    CHECK_THAT(error.detail, Contains("sequence 3"));
  }
  SECTION("nonsense that was measured") {
    const char* nonsense = GENERATE("runs = -1", "run_mean = 9e999", "good = 'x'", "lost = -5",
                                    "size = 300", "node_id = 'a b'", "load_variance = -0.5");
    CAPTURE(nonsense);
    edit(folder,
         "INSERT INTO measures VALUES('n', 'm', 0, 1, 1.0, 0.1, 0, 0, 0, 1, 0, 0, 1700000000000)");
    edit(folder, std::string("UPDATE measures SET ") + nonsense);
    const StoreError error = refusal(folder);
    CHECK(error.failure == Failure::kDamaged);
    CHECK_THAT(error.detail, Contains("measures of node"));
  }
  SECTION("data of no task") {
    edit(folder, "INSERT INTO blobs(key, data) VALUES(99999, 'x')");
    CHECK(refusal(folder).failure == Failure::kDamaged);
  }
  CHECK(std::filesystem::exists(file));
}

TEST_CASE("a folder that cannot be") {
  TempFolder folder;
  std::ofstream(folder.path + "/file") << "x";
  SqliteOptions options = options_of(folder);
  options.data_dir += "/file";
  const auto opened = SqliteStore::open(options);
  REQUIRE(!opened);
  CHECK(opened.error().failure == Failure::kNotWritable);
  CHECK_THAT(opened.error().detail, Contains("/file"));
}

TEST_CASE("nothing is promised on files that somebody has removed, and all of it is saved") {
  TempFolder folder;
  const std::string data = folder.path + "/data";
  SqliteOptions options = options_of(folder);
  options.data_dir = data;
  std::optional<Life> life(options);
  RandomTasks random(5);
  const auto commit = [&](std::uint64_t sequence) {
    Batch batch;
    batch.added.push_back(random.task(sequence, TaskStatus::kUnscheduled));
    return life->commit(batch);
  };
  REQUIRE(commit(1));
  REQUIRE(life->store->tidy());
  REQUIRE(commit(2));
  std::string rescued = data + "/rescued-1.db";
  SECTION("the database is removed") { std::filesystem::remove(data + "/tasks.db"); }
  SECTION("its log is removed") { std::filesystem::remove(data + "/tasks.db-wal"); }
  SECTION("all of it is removed") {
    for (const auto& entry : std::filesystem::directory_iterator(data))
      std::filesystem::remove_all(entry.path());
  }
  SECTION("another file stands in its place") {
    std::ofstream(data + "/other") << "x";
    std::filesystem::rename(data + "/other", data + "/tasks.db");
  }
  SECTION("the folder is moved away") {
    std::filesystem::rename(data, folder.path + "/moved");
    rescued.clear();
  }
  SECTION("another folder stands in its place") {
    std::filesystem::rename(data, folder.path + "/moved");
    std::filesystem::create_directory(data);
  }
  const auto refused = commit(3);
  REQUIRE(!refused);
  CHECK(refused.error().failure == Failure::kIo);
  CHECK_THAT(refused.error().detail, Contains("tasks.db"));
  life.reset();
  if (rescued.empty()) return;
  CHECK_THAT(refused.error().detail, Contains(rescued));
  struct stat found {};
  REQUIRE(stat(rescued.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  // Nobody serves an empty store while the copy waits: its tasks would look lost.
  const auto waits = SqliteStore::open(options);
  REQUIRE(!waits);
  CHECK(waits.error().failure == Failure::kDamaged);
  CHECK_THAT(waits.error().detail, Contains(rescued + " holds what "));
  // Put in place as the message says, it has all that was committed.
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(data + "/tasks.db" + end);
  std::filesystem::rename(rescued, data + "/tasks.db");
  CHECK(Life(options).found.tasks.size() == 3);
}

TEST_CASE("exit codes are those of sysexits") {
  CHECK(exit_code(Failure::kDamaged) == EX_DATAERR);
  CHECK(exit_code(Failure::kNotWritable) == EX_CANTCREAT);
  CHECK(exit_code(Failure::kIo) == EX_IOERR);
  CHECK(exit_code(Failure::kInUse) == EX_TEMPFAIL);
  CHECK(exit_code(Failure::kNewer) == EX_PROTOCOL);
  CHECK(exit_code(Failure::kFenced) == EX_NOPERM);
}

TEST_CASE("every kind of store can be copied, or says why not") {
  TempFolder folder;
  fill(folder, 5);
  for (const std::string& kind : kinds()) {
    CAPTURE(kind);
    const Options options{.kind = kind, .data_dir = folder.path};
    const std::string copy = folder.path + "/copy-of-" + kind;
    if (kind == "memory")
      CHECK_THROWS_WITH(back_up(options, copy, false), Contains("keeps nothing"));
    else
      CHECK(back_up(options, copy, false).tasks == 5);
  }
  CHECK_THROWS_WITH(back_up({.kind = "other", .data_dir = folder.path}, "x", false),
                    Contains("no store of kind 'other'"));
}

TEST_CASE("the memory store keeps nothing and says so") {
  auto started = start({.kind = "memory", .data_dir = "/nowhere"}, "a test", 77);
  REQUIRE(started);
  CHECK(started->lease.epoch == 77);
  CHECK(!started->store->is_durable());
  CHECK(started->store->name() == "memory");
}

TEST_CASE("under a steady load the file does not grow") {
  // GENAI_STORE_TASKS=1000000 by hand; the figures are printed.
  const char* wanted = std::getenv("GENAI_STORE_TASKS");
  const std::uint64_t tasks = wanted ? std::strtoull(wanted, nullptr, 10) : 20'000;
  constexpr std::uint64_t kStep = 100, kKept = 2'000;
  TempFolder folder;
  Life life(folder);
  RandomTasks random(3);
  TaskRecord pattern = random.task(1, TaskStatus::kScheduled);
  pattern.payload = Blob(std::string(300, 'p'));
  TaskRecord done = pattern;
  random.change(done, TaskStatus::kCompleted);
  done.result = Blob(std::string(5'000, 'r'));  // beside the row
  std::uint64_t quarter = 0, last = 0;
  for (std::uint64_t n = 0; n < tasks; n += kStep) {
    Batch batch;
    for (std::uint64_t sequence = n + 1; sequence <= n + kStep; ++sequence) {
      pattern.sequence = sequence;
      pattern.id = *TaskId::parse("task:" + std::to_string(sequence));
      batch.added.push_back(pattern);
      if (sequence <= 2 * kStep + kKept) continue;
      done.sequence = sequence - kStep;
      batch.changed.push_back({done, Batch::Data::kClear, Batch::Data::kSet});
      batch.fetched.push_back(sequence - 2 * kStep);
      batch.erased.push_back(sequence - 2 * kStep - kKept);
    }
    REQUIRE(life.commit(batch));
    REQUIRE(life.store->tidy());
    last = std::filesystem::file_size(folder.path + "/tasks.db") +
           std::filesystem::file_size(folder.path + "/tasks.db-wal");
    if (n + kStep == std::max<std::uint64_t>(tasks / 4, 3 * kKept)) quarter = last;
  }
  if (wanted)
    WARN(tasks << " tasks: " << quarter << " bytes after a quarter, " << last << " at the end");
  REQUIRE(quarter > 0);
  CHECK(last <= quarter + quarter / 10);
}

TEST_CASE("a file of free pages gives them back at a start, where room is short") {
  const bool is_short = GENERATE(true, false);
  TempFolder folder;
  {
    Life life(inline_options_of(folder));
    RandomTasks random(1);
    Batch batch, gone;
    for (std::uint64_t i = 1; i <= 20; ++i) {
      batch.added.push_back(random.task(i, TaskStatus::kUnscheduled));
      batch.added.back().payload = Blob(std::string(200'000, 'p'));
      if (i > 1) gone.erased.push_back(i);
    }
    batch.added.front().payload = Blob(std::string("kept"));
    batch.added.front().digest =
        content_digest(batch.added.front().spec.raw(), batch.added.front().payload.view());
    REQUIRE(life.commit(batch));
    REQUIRE(life.commit(gone));
  }
  const std::string file = folder.path + "/tasks.db";
  REQUIRE(std::filesystem::file_size(file) > 3'000'000);
  SqliteOptions options = inline_options_of(folder);
  if (is_short) options.min_free_bytes = std::uint64_t{1} << 60;
  const Life life(options);
  CHECK((std::filesystem::file_size(file) < 300'000) == is_short);
  CHECK(life.found.tasks.size() == 1);
}
