// What every store owes, whatever it is made of. A new one adds a line to kKinds.
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>

#include "dispatcher/store/memory/memory_store.h"
#include "dispatcher/store/sqlite/sqlite_store.h"
#include "tests/unit/dispatcher/store/fault_vfs.h"
#include "tests/unit/dispatcher/store/load_all.h"
#include "tests/unit/dispatcher/store/random_tasks.h"
#include "tests/unit/dispatcher/store/store_double.h"
#include "tests/unit/noise.h"
#include "tests/unit/temp_folder.h"

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::store;
using dispatcher::test::Fault;
using dispatcher::test::StoreDouble;
using genai::test::noise;
using genai::test::TempFolder;

namespace {

// Of payloads and results that do not stand apart.
constexpr std::size_t kLargestHere = 10'000;

/// One kind of store, and what can be done to what it stands on.
struct Kind {
  virtual ~Kind() = default;
  /// A process opens it; its lease ends with what is returned.
  virtual Result<std::shared_ptr<Store>> open() = 0;
  /// Whoever has the lease is taken for dead, and is not.
  virtual void seize() = 0;
  /// From now on nothing fits, or everything does.
  virtual void fill(bool full) = 0;
  /// The next commit fails for good; then the process ends.
  virtual void break_next() = 0;
  virtual void mend() = 0;
};

struct Memory : Kind {
  Result<std::shared_ptr<Store>> open() override { return std::make_shared<MemoryStore>(); }
  void seize() override {}
  void fill(bool) override {}
  void break_next() override {}
  void mend() override {}
};

struct Sqlite : Kind {
  Result<std::shared_ptr<Store>> open() override {
    auto opened = SqliteStore::open({.data_dir = folder.path,
                                     .reserve_bytes = 0,
                                     .min_free_bytes = 0,
                                     .largest_inline = kLargestHere,
                                     .vfs = "faults"});
    if (!opened) return tl::unexpected(opened.error());
    return std::shared_ptr<Store>(std::move(*opened));
  }
  void seize() override { std::filesystem::remove(folder.path + "/lock"); }
  void fill(bool full) override {
    if (full)
      vfs.fail(FaultVfs::Operation::kWrite, 1, SQLITE_FULL);
    else
      vfs.heal();
  }
  void break_next() override { vfs.fail(FaultVfs::Operation::kWrite, 1, SQLITE_IOERR_WRITE); }
  void mend() override { vfs.heal(); }

  FaultVfs vfs;
  TempFolder folder;
};

struct Double : Kind {
  Result<std::shared_ptr<Store>> open() override {
    disk.inline_bytes = kLargestHere;
    return std::shared_ptr<Store>(&disk, [this](Store*) { disk.expire(); });
  }
  void seize() override { disk.expire(); }
  void fill(bool full) override { disk.space = full ? 0 : StoreDouble::kNoEnd; }
  void break_next() override { disk.next_fault = Fault::kWriteError; }
  void mend() override {}

  StoreDouble disk;
};

constexpr struct {
  const char* name;
  std::unique_ptr<Kind> (*make)();
} kKinds[] = {
    {"memory", [] { return std::unique_ptr<Kind>(std::make_unique<Memory>()); }},
    {"sqlite", [] { return std::unique_ptr<Kind>(std::make_unique<Sqlite>()); }},
    {"double", [] { return std::unique_ptr<Kind>(std::make_unique<Double>()); }},
};

/// A process with the lease.
struct Process {
  explicit Process(Kind& kind, const char* owner = "one", std::uint64_t least_epoch = 1) {
    auto opened = kind.open();
    if (!opened) FAIL(opened.error().detail);
    store = *opened;
    auto acquired = store->acquire(owner, least_epoch);
    if (!acquired) FAIL(acquired.error().detail);
    lease = *acquired;
  }
  Result<void> commit(Batch batch) { return store->commit(lease, batch); }
  Loaded load() { return load_all(*store, lease); }

  std::shared_ptr<Store> store;
  Lease lease;
};

/// What came of an attempt to have the store while another has it.
Failure failure_of_second(Kind& kind) {
  auto opened = kind.open();
  if (!opened) return opened.error().failure;
  auto lease = (*opened)->acquire("two", 1);
  REQUIRE(!lease);
  return lease.error().failure;
}

/// Small tasks of these sequences.
Batch adding(std::uint64_t first, std::uint64_t last) {
  RandomTasks random(3);
  Batch batch;
  for (std::uint64_t sequence = first; sequence <= last; ++sequence) {
    TaskRecord task = random.task(sequence, TaskStatus::kUnscheduled);
    task.payload = Blob(std::string("p"));
    task.digest = content_digest(task.spec.raw(), task.payload.view());
    batch.added.push_back(std::move(task));
  }
  return batch;
}

void set_payload(TaskRecord& task, const std::string& payload) {
  task.payload = Blob(payload);
  task.digest = content_digest(task.spec.raw(), payload);
}

/// The task that was added ends with this result.
Batch completing(const TaskRecord& added, const std::string& result) {
  Batch batch;
  Batch::Change& change = batch.changed.emplace_back();
  change.record = added;
  change.record.payload = {};
  change.record.status = TaskStatus::kCompleted;
  change.record.log.add(2, TaskStatus::kCompleted, "result", {}, 1);
  change.record.ended_ms = 2;
  change.record.result = Blob(result);
  change.payload = Batch::Data::kClear;
  change.result = Batch::Data::kSet;
  return batch;
}

std::string read_of(const Process& process, DataKey key, std::size_t size) {
  const auto read = process.store->reader()->read(key, 0, size);
  if (!read) FAIL(read.error().detail);
  return std::string(read->view());
}

}  // namespace

TEST_CASE("every store keeps its contract") {
  const auto& entry = kKinds[GENERATE(range<std::size_t>(0, std::size(kKinds)))];
  CAPTURE(entry.name);
  const std::unique_ptr<Kind> kind = entry.make();
  const bool durable = Process(*kind).store->is_durable();

  SECTION("an epoch is not less than it is asked to be, and greater than any before") {
    CHECK(Process(*kind, "one", 1'000).lease.epoch == 1'000);
    CHECK(Process(*kind, "two", 5'000).lease.epoch == 5'000);
    if (durable) CHECK(Process(*kind, "three", 2'000).lease.epoch == 5'001);
  }

  SECTION("one owner at a time") {
    {
      Process one(*kind);
      const auto again = one.store->acquire("two", 1);
      REQUIRE(!again);
      CHECK(again.error().failure == Failure::kInUse);
      CHECK(one.store->renew(one.lease, 0));  // as if nobody had asked
    }
    if (!durable) return;  // two processes have two of them
    {
      Process one(*kind);
      CHECK(failure_of_second(*kind) == Failure::kInUse);
      CHECK(one.commit(adding(1, 1)));
    }
    CHECK(Process(*kind, "two").load().tasks.size() == 1);
  }

  SECTION("a lease is renewed, and its epoch raised: the lease of before is over") {
    Process one(*kind, "one", 10);
    CHECK(one.store->renew(one.lease, 0)->epoch == 10);
    CHECK(one.store->renew(one.lease, 5)->epoch == 10);
    const Lease old = one.lease;
    const auto raised = one.store->renew(one.lease, 20);
    REQUIRE(raised);
    CHECK(raised->epoch == 20);
    CHECK(one.commit(adding(1, 1)).error().failure == Failure::kFenced);
    one.lease = *raised;
    CHECK(one.commit(adding(1, 1)));
    CHECK(one.store->renew(old, 0).error().failure == Failure::kFenced);
    CHECK(one.store->renew(old, 30).error().failure == Failure::kFenced);
    if (!durable) return;
    one.store.reset();
    CHECK(Process(*kind, "two").lease.epoch == 21);
  }

  SECTION("who was taken for dead writes nothing any more, and cannot come back") {
    if (!durable) return;
    Process one(*kind, "one");
    REQUIRE(one.commit(adding(1, 2)));
    kind->seize();
    Process two(*kind, "two");
    CHECK(two.lease.epoch > one.lease.epoch);
    CHECK(two.load().tasks.size() == 2);
    Batch batch = adding(3, 4);
    const auto late = one.store->commit(one.lease, batch);
    REQUIRE(!late);
    CHECK(late.error().failure == Failure::kFenced);
    CHECK(one.store->renew(one.lease, 0).error().failure == Failure::kFenced);
    CHECK(one.store->renew(one.lease, two.lease.epoch + 5).error().failure == Failure::kFenced);
    REQUIRE(two.commit(adding(5, 5)));
    one.store.reset();
    two.store.reset();
    const Loaded loaded = Process(*kind, "three").load();
    REQUIRE(loaded.tasks.size() == 3);
    CHECK(loaded.tasks.back().sequence == 5);
  }

  SECTION("what was committed is loaded, in pages") {
    if (!durable) {
      Process one(*kind);
      CHECK(one.commit(adding(1, 5)));
      CHECK(one.load().tasks.empty());
      return;
    }
    Model model;
    History history(11);
    Batch batch;
    batch.nodes = {{*NodeId::parse("a"), true, 1, 2, 3, 4}};
    batch.measures = {{*NodeId::parse("a"), "sdxl", 3, 4, 1.5, 0.1, 1, 3, 0.2, 4, 1, 7, 1'000}};
    {
      Process one(*kind);
      REQUIRE(one.commit(batch));
      for (int i = 0; i < 40; ++i) REQUIRE(one.commit(history.next(model)));
    }
    {
      Process two(*kind);
      const Loaded loaded = two.load();
      require_equal(loaded.tasks, model);
      CHECK(loaded.nodes == batch.nodes);
      CHECK(loaded.measures == batch.measures);
      for (int i = 0; i < 10; ++i) REQUIRE(two.commit(history.next(model)));
    }
    require_equal(Process(*kind).load().tasks, model);
  }

  SECTION("what is committed while pages are read is in none of them, and is not lost") {
    if (!durable) return;
    constexpr std::uint64_t kTasks = 2'500;
    REQUIRE(Process(*kind).commit(adding(1, kTasks)));
    {
      Process one(*kind);
      const auto first = one.store->load(one.lease, {});
      REQUIRE(first);
      REQUIRE(first->next);
      Batch batch = adding(kTasks + 1, kTasks + 3);
      batch.erased.push_back(first->tasks.front().sequence);
      REQUIRE(one.commit(batch));
      std::size_t found = first->tasks.size();
      for (auto next = first->next; next;) {
        const auto page = one.store->load(one.lease, *next);
        REQUIRE(page);
        CHECK(!page->tasks.empty());
        found += page->tasks.size();
        next = page->next;
      }
      CHECK(found == kTasks);
    }
    CHECK(Process(*kind).load().tasks.size() == kTasks + 2);
  }

  SECTION("without room nothing is lost, and the rest of the batch fits later") {
    Process one(*kind);
    REQUIRE(one.commit(adding(1, 3)));
    CHECK(one.store->room() == Room::kEnough);
    kind->fill(true);
    Batch batch = adding(4, 8);
    batch.erased.push_back(1);
    const auto refused = one.store->commit(one.lease, batch);
    if (!durable) return;
    REQUIRE(!refused);
    CHECK(refused.error().failure == Failure::kFull);
    CHECK(batch.size() == 6);
    kind->fill(false);
    REQUIRE(one.store->commit(one.lease, batch));
    one.store.reset();
    CHECK(Process(*kind).load().tasks.size() == 7);
  }

  SECTION("large data stands apart, and is read in any part until it goes") {
    if (!durable) return;
    Batch batch = adding(1, 2);
    const std::string payload = noise(50'000, 1), result = noise(70'000, 2);
    set_payload(batch.added[0], payload);
    {
      Process one(*kind);
      REQUIRE(one.store->largest_inline() == kLargestHere);
      REQUIRE(one.commit(batch));
      CHECK(read_of(one, payload_key(1), payload.size()) == payload);
      REQUIRE(one.commit(completing(batch.added[1], result)));
    }
    Process two(*kind);
    const auto page = two.store->load(two.lease, {});
    REQUIRE(page);
    REQUIRE(page->tasks.size() == 2);
    CHECK(page->tasks[0].payload == Data::apart(payload_key(1), payload.size()));
    CHECK(page->tasks[1].result == Data::apart(result_key(2), result.size()));
    CHECK(read_of(two, payload_key(1), payload.size()) == payload);
    const auto reader = two.store->reader();
    const auto part = reader->read(result_key(2), 12'345, 678);
    REQUIRE(part);
    CHECK(part->view() == std::string_view(result).substr(12'345, 678));

    Batch gone;
    gone.fetched = {2};
    gone.erased = {1};
    REQUIRE(two.commit(gone));
    REQUIRE(two.store->tidy());
    for (const DataKey key : {payload_key(1), result_key(2)}) {
      const auto missing = reader->read(key, 0, 1);
      REQUIRE(!missing);
      CHECK(missing.error().failure == Failure::kDamaged);
    }
    two.store.reset();
    CHECK(Process(*kind).load().tasks.size() == 1);
  }

  SECTION("a task that replays another has its payload, also when the other goes first") {
    if (!durable) return;
    const std::string payload = noise(50'000, 3);
    Batch batch = adding(1, 1);
    set_payload(batch.added[0], payload);
    {
      Process one(*kind);
      REQUIRE(one.commit(batch));
      Batch replay = adding(2, 2);
      replay.added[0].spec = batch.added[0].spec;
      replay.added[0].digest = batch.added[0].digest;
      replay.added[0].payload = Data::apart(payload_key(1), payload.size());
      replay.erased = {1};
      REQUIRE(one.commit(replay));
      REQUIRE(one.store->tidy());
      CHECK(read_of(one, payload_key(2), payload.size()) == payload);
    }
    Process two(*kind);
    const Loaded loaded = two.load();
    REQUIRE(loaded.tasks.size() == 1);
    CHECK(loaded.tasks[0].payload.view() == payload);
    Batch gone;
    gone.erased = {2};
    REQUIRE(two.commit(gone));
    CHECK(!two.store->reader()->read(payload_key(2), 0, 1));
  }

  SECTION("an empty batch changes nothing") {
    Process one(*kind);
    CHECK(one.commit({}));
    CHECK(one.load().tasks.empty());
    CHECK(one.store->tidy());
  }

  SECTION("after a failure for good a new process finds all that was committed before") {
    if (!durable) return;
    {
      Process one(*kind);
      REQUIRE(one.commit(adding(1, 3)));
      kind->break_next();
      const auto failed = one.commit(adding(4, 6));
      REQUIRE(!failed);
      CHECK(failed.error().failure == Failure::kIo);
    }
    kind->mend();
    CHECK(Process(*kind).load().tasks.size() == 3);
  }
}
