#include "dispatcher/store/sqlite/schema.h"

#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

namespace genai::dispatcher::store {
namespace {

constexpr int kApplicationId = 0x67656e61;  // "gena"

// kMigrations[n] makes version n + 1 of version n. A published entry never changes.
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- One row per task. The dispatcher finds tasks by id in memory, so no index is kept here.
CREATE TABLE tasks(
  sequence   INTEGER PRIMARY KEY,  -- order of acceptance
  task_id    TEXT NOT NULL,
  digest     BLOB NOT NULL,        -- BLAKE2b-128 of spec and payload: what makes a submit idempotent
  spec       BLOB NOT NULL,        -- canonical msgpack
  label      TEXT NOT NULL,        -- of the spec, for people
  model      TEXT NOT NULL,        -- of the spec, for people
  created_ms INTEGER NOT NULL,
  status     INTEGER NOT NULL,     -- 0 Unscheduled 1 Scheduled 2 Sent 3 Aborted 4 Completed 5 Failed
  current    INTEGER NOT NULL,     -- the attempt it is assigned with, 0: none
  faults     INTEGER NOT NULL,
  losses     INTEGER NOT NULL,
  drains     INTEGER NOT NULL,
  attempts   TEXT NOT NULL,        -- JSON [[number, epoch, session, node_id, failed, open], ...]
  log        TEXT NOT NULL,        -- JSON [[at_ms, status, reason, node_id, attempt], ...]
  code       INTEGER NOT NULL,     -- an error code of SPEC.md, when terminal
  info       BLOB NOT NULL,        -- msgpack: what DELIVER tells beside the data
  ended_ms   INTEGER NOT NULL,     -- 0: not terminal
  fetched    INTEGER NOT NULL,     -- a client has the result
  payload    BLOB,                 -- NULL: empty, dropped, or in blobs
  result     BLOB                  -- the same
);

-- Payloads and results that are too large to be written again with each change of their task.
CREATE TABLE blobs(
  key  INTEGER PRIMARY KEY,        -- 2 * sequence for the payload, + 1 for the result
  data BLOB NOT NULL
);

CREATE VIEW task_list AS
  SELECT sequence, task_id,
    CASE status WHEN 0 THEN 'Unscheduled' WHEN 1 THEN 'Scheduled' WHEN 2 THEN 'Sent'
                WHEN 3 THEN 'Aborted' WHEN 4 THEN 'Completed' ELSE 'Failed' END AS status,
    datetime(created_ms / 1000, 'unixepoch') AS created,
    CASE ended_ms WHEN 0 THEN NULL ELSE datetime(ended_ms / 1000, 'unixepoch') END AS ended,
    model, label, json_array_length(attempts) AS attempts, faults, losses, drains, code, fetched,
    json_extract(log, '$[#-1][2]') AS last_reason
  FROM tasks;

CREATE VIEW task_log AS
  SELECT task_id, datetime(json_extract(value, '$[0]') / 1000, 'unixepoch') AS at,
    json_extract(value, '$[1]') AS status, json_extract(value, '$[2]') AS reason,
    json_extract(value, '$[3]') AS node_id, json_extract(value, '$[4]') AS attempt
  FROM tasks, json_each(tasks.log);
)sql",
    R"sql(
-- A node that an operator drained stays drained.
CREATE TABLE nodes(node_id TEXT PRIMARY KEY, drained INTEGER NOT NULL) WITHOUT ROWID;
)sql",
    R"sql(
-- Counters of nodes go on after a restart.
ALTER TABLE nodes ADD COLUMN assigned  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN completed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN failed    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN lost      INTEGER NOT NULL DEFAULT 0;

-- A priority that was changed while the task waited; -1: as its spec says.
ALTER TABLE tasks ADD COLUMN priority  INTEGER NOT NULL DEFAULT -1;

-- What was measured of nodes. Means and variances are of ln(seconds), counts of samples and
-- outcomes are decayed.
CREATE TABLE measures(
  node_id       TEXT NOT NULL,
  model         TEXT NOT NULL,
  size          INTEGER NOT NULL,  -- class: doubles with each step, 0: not said
  runs          REAL NOT NULL,
  run_mean      REAL NOT NULL,
  run_variance  REAL NOT NULL,
  loads         REAL NOT NULL,
  load_mean     REAL NOT NULL,
  load_variance REAL NOT NULL,
  good          REAL NOT NULL,
  bad           REAL NOT NULL,
  lost          INTEGER NOT NULL,
  updated_ms    INTEGER NOT NULL,
  PRIMARY KEY(node_id, model, size)
) WITHOUT ROWID;

CREATE VIEW measured AS
  SELECT node_id, model, size, round(runs, 1) AS runs, round(exp(run_mean), 3) AS run_s,
    CASE WHEN loads > 0 THEN round(exp(load_mean), 3) END AS load_s,
    round(good / max(good + bad, 0.001), 3) AS success, lost,
    datetime(updated_ms / 1000, 'unixepoch') AS updated
  FROM measures;
)sql",
    // Each of tasks.attempts has `drained` behind `open`; those of older files have it not.
    "",
    R"sql(
-- Payloads and results that stand in the files of the folder segments. What older files have of
-- that size in `blobs` stays there until it goes.
CREATE TABLE large(
  key     INTEGER PRIMARY KEY,     -- as of blobs
  segment INTEGER NOT NULL,        -- number of the file
  at      INTEGER NOT NULL,        -- first byte in it
  bytes   INTEGER NOT NULL,
  digest  BLOB NOT NULL            -- BLAKE2b-128 of the bytes
);
)sql",
};
static_assert(std::size(kMigrations) == kSchemaVersion);

}  // namespace

Result<void> migrate(SQLite::Database& db) {
  const int version = db.execAndGet("PRAGMA user_version").getInt();
  const int application = db.execAndGet("PRAGMA application_id").getInt();
  const bool is_new = db.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0;
  if (!is_new && application != kApplicationId)
    return tl::unexpected(StoreError{
        Failure::kDamaged, db.getFilename() + " is a database, but not one of genai-dispatcher"});
  if (version > kSchemaVersion)
    return tl::unexpected(StoreError{
        Failure::kNewer,
        fmt::format("{} was written by a newer genai-dispatcher (version {} of the tables, this "
                    "program knows {}): start that one, or restore a backup",
                    db.getFilename(), version, kSchemaVersion)});
  for (int from = version; from < kSchemaVersion; ++from) {
    SQLite::Transaction transaction(db);
    db.exec(kMigrations[from]);
    db.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId,
                        from + 1));
    transaction.commit();
  }
  return {};
}

}  // namespace genai::dispatcher::store
