#include "dispatcher/store/sqlite/backup.h"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Database.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "protocol/runtime/draft.h"

namespace genai::dispatcher::store {
namespace {

namespace fs = std::filesystem;

constexpr int kBusyMs = 5000;  // a dispatcher that starts recovers its file first

// What SQLite keeps beside a file and would apply to whatever has that file's name.
constexpr const char* kCompanions[] = {"-journal", "-wal", "-shm"};

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::runtime_error(what + ": " + std::generic_category().message(error));
}

/// Says why a file cannot be read better than SQLite does.
void check_readable(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    throw std::runtime_error("there is no " + path + ": --data-dir names the dispatcher's folder");
  if (fd < 0) fail("cannot open " + path, errno);
  close(fd);
}

void remove_companions(const std::string& path) {
  for (const char* companion : kCompanions) unlink((path + companion).c_str());
}

/// The copy while it is made. What SQLite puts beside it is gone when it is published or not.
class Copy {
 public:
  explicit Copy(const std::string& file) : draft_(file, 0600) {}
  ~Copy() { remove_companions(draft_.path()); }

  const std::string& path() const { return draft_.path(); }
  void publish(const std::string& file) {
    remove_companions(file);
    draft_.publish();
  }

 private:
  runtime::Draft draft_;
};

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

void check_target(const std::string& store, const std::string& file, bool force) {
  std::error_code ignored;
  if (fs::equivalent(store, file, ignored)) throw std::runtime_error(file + " is the store itself");
  if (fs::is_directory(file, ignored)) throw std::runtime_error(file + " is a folder");
  if (force) return;
  for (const std::string& path : {file, file + "-journal", file + "-wal"})
    if (exists(path)) throw std::runtime_error(path + " exists already (--force replaces it)");
}

/// All pages under one read transaction: a writer neither waits for it nor makes it begin again.
void copy_pages(const std::string& store, SQLite::Database& copy) {
  SQLite::Database source(store, SQLite::OPEN_READONLY, kBusyMs);
  SQLite::Backup backup(copy, source);
  const int code = backup.executeStep();
  if (code != SQLITE_DONE) throw SQLite::Exception(sqlite3_errstr(code), code);
}

std::uint64_t finish(SQLite::Database& copy) {
  const auto mode = copy.execAndGet("PRAGMA journal_mode = DELETE").getString();
  if (mode != "delete") throw std::runtime_error("it stays in journal mode " + mode);
  const auto checked = copy.execAndGet("PRAGMA quick_check(1)").getString();
  if (checked != "ok") throw std::runtime_error("it is damaged: " + checked);
  return static_cast<std::uint64_t>(copy.execAndGet("SELECT count(*) FROM tasks").getInt64());
}

}  // namespace

BackupSummary back_up_sqlite(const Options& options, const std::string& file, bool force) {
  const std::string store = options.data_dir + "/tasks.db";
  check_readable(store);
  check_target(store, file, force);
  Copy copied(file);
  BackupSummary summary;
  try {
    SQLite::Database copy(copied.path(), SQLite::OPEN_READWRITE);
    copy_pages(store, copy);
    summary.tasks = finish(copy);
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("cannot copy {} to {}: {}", store, file, error.what()));
  }
  summary.bytes = fs::file_size(copied.path());
  copied.publish(file);
  return summary;
}

}  // namespace genai::dispatcher::store
