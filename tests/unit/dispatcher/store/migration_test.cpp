// Files of older versions become files of this one, and lose nothing on the way.
#include <SQLiteCpp/Database.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "dispatcher/store/sqlite/schema.h"
#include "dispatcher/store/sqlite/sqlite_store.h"
#include "protocol/wire/codec.h"
#include "tests/unit/dispatcher/store/load_all.h"
#include "tests/unit/temp_folder.h"

using namespace genai;
using genai::test::TempFolder;
using namespace genai::dispatcher;
using namespace genai::dispatcher::store;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int version_of(const std::string& file) {
  return SQLite::Database(file).execAndGet("PRAGMA user_version").getInt();
}

}  // namespace

TEST_CASE("version 1, as a dispatcher of then left it after kill -9") {
  TempFolder folder;
  const std::string file = folder.path + "/tasks.db";
  SQLite::Database(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec(read_file(GENAI_ROOT "/tests/unit/dispatcher/store/v1.sql"));
  REQUIRE(version_of(file) == 1);
  const SqliteOptions options{
      .data_dir = folder.path, .reserve_bytes = 0, .min_free_bytes = 0, .vfs = {}};
  for (int opening = 1; opening <= 2; ++opening) {
    auto opened = SqliteStore::open(options);
    REQUIRE(opened);
    auto lease = (*opened)->acquire("a test", 1);
    REQUIRE(lease);
    CHECK(lease->epoch > 1'700'000'000'000);
    auto loaded = try_load_all(**opened, *lease);
    REQUIRE(loaded);
    CHECK(loaded->nodes.size() == std::size_t(opening - 1));
    CHECK(loaded->measures.size() == std::size_t(opening - 1));
    std::map<std::string, TaskRecord> tasks;
    for (auto& task : loaded->tasks) tasks.emplace(task.id.str(), task);
    REQUIRE(tasks.size() == 7);
    CHECK(tasks.at("fetched").fetched);
    CHECK(tasks.at("fetched").result.empty());
    CHECK(tasks.at("unfetched").status == TaskStatus::kCompleted);
    CHECK(tasks.at("unfetched").result.view() == "a red sphere");
    CHECK(tasks.at("unfetched").spec.label() == "two words");
    CHECK(tasks.at("large").result.view() == std::string(5000, 'z'));
    CHECK(tasks.at("failed").status == TaskStatus::kFailed);
    CHECK(tasks.at("failed").code == ErrorCode::kTaskError);
    CHECK(tasks.at("failed").payload.view() == "a cat");
    CHECK(tasks.at("failed").log.size() == 4);
    CHECK(tasks.at("aborted").status == TaskStatus::kAborted);
    CHECK(tasks.at("queued").payload.view() == std::string(5000, 'z'));
    CHECK(tasks.at("queued").spec.model() == "nobody");
    const TaskRecord& running = tasks.at("running");
    REQUIRE(running.issued.size() == 1);
    CHECK(running.current == 1);
    CHECK(running.priority_override == -1);
    CHECK(running.issued[0].node_id.str() == "slow-1");
    CHECK(!running.issued[0].drained);
    CHECK(running.issued[0].epoch == lease->epoch - static_cast<std::uint64_t>(opening));
    Batch batch;
    const NodeId slow = *NodeId::parse("slow-1");  // what only newer versions know
    batch.nodes = {{slow, true, 5, 4, 1, 0}};
    batch.measures = {{slow, "sdxl", 33, 4, 1.5, 0.1, 1, 3, 0, 4, 1, 0, lease->epoch}};
    CHECK((*opened)->commit(*lease, batch));
  }
  CHECK(version_of(file) == kSchemaVersion);
}

TEST_CASE("version 3, as a dispatcher of then left it after kill -9") {
  TempFolder folder;
  const std::string file = folder.path + "/tasks.db";
  SQLite::Database(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec(read_file(GENAI_ROOT "/tests/unit/dispatcher/store/v3.sql"));
  REQUIRE(version_of(file) == 3);
  auto opened = SqliteStore::open(
      {.data_dir = folder.path, .reserve_bytes = 0, .min_free_bytes = 0, .vfs = {}});
  REQUIRE(opened);
  CHECK(version_of(file) == kSchemaVersion);
  auto lease = (*opened)->acquire("a test", 1);
  REQUIRE(lease);
  auto loaded = try_load_all(**opened, *lease);
  REQUIRE(loaded);
  std::map<std::string, TaskRecord> tasks;
  for (auto& task : loaded->tasks) tasks.emplace(task.id.str(), task);
  REQUIRE(tasks.size() == 8);
  const TaskRecord& fetched = tasks.at("fetched");
  CHECK(fetched.status == TaskStatus::kCompleted);
  CHECK(fetched.fetched);
  CHECK(fetched.result.empty());
  CHECK(fetched.spec.tenant() == "acme");
  CHECK(fetched.spec.label() == "two words");
  CHECK(get_string(fetched.info, "node_id") == "good-1");
  CHECK(tasks.at("unfetched").result.view() == "a blue cube");
  CHECK(tasks.at("unfetched").priority() == 7);
  CHECK(tasks.at("large").result.view() == std::string(5000, 'z'));
  const TaskRecord& failed = tasks.at("failed");
  CHECK(failed.status == TaskStatus::kFailed);
  CHECK(failed.code == ErrorCode::kTaskError);
  CHECK(failed.faults == 1);
  CHECK(failed.payload.view() == "a cat");
  CHECK(failed.spec.max_attempts() == 1);
  const TaskRecord& running = tasks.at("running");
  REQUIRE(running.issued.size() == 1);
  CHECK(running.is_assigned());
  CHECK(running.current == 1);
  CHECK(running.issued[0].node_id.str() == "slow-1");
  CHECK(running.issued[0].open);
  CHECK(!running.issued[0].drained);
  CHECK(get_map(*decode_map(running.spec.raw()), "params").size() == 1);
  CHECK(tasks.at("queued").payload.view() == std::string(5000, 'z'));
  CHECK(tasks.at("urgent").priority_override == 9);
  CHECK(tasks.at("urgent").log.back().reason == "priority 9 from now on");
  CHECK(tasks.at("aborted").status == TaskStatus::kAborted);
  CHECK(loaded->nodes.size() == 2);
  REQUIRE(loaded->measures.size() == 2);
  CHECK(loaded->measures[1].runs == 3);
}
