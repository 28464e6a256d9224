// genai-ctl backup
#include "tools/ctl/backup.h"

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

#include "protocol/process/escape.h"
#include "tools/ctl/json.h"
#include "tools/ctl/session.h"

namespace genai::ctl {
namespace {

namespace fs = std::filesystem;

constexpr int kBusyMs = 5000;  // a dispatcher that starts recovers its file first

// What SQLite keeps beside a file and would apply to whatever has that file's name.
constexpr const char* kCompanions[] = {"-journal", "-wal", "-shm"};

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::runtime_error(what + ": " + std::generic_category().message(error));
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, const char* what)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0600)), path_(path) {
    if (fd_ < 0) fail(fmt::format("cannot {} {}", what, path), errno);
  }
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void sync() const {
    if (fsync(fd_) != 0) fail("cannot sync " + path_, errno);
  }

 private:
  const int fd_;
  const std::string path_;
};

/// The copy while it is made; it and what SQLite puts beside it are gone unless it was published.
class Draft {
 public:
  explicit Draft(std::string path) : path_(std::move(path)) {
    remove();  // what an interrupted run left
    const Descriptor made(path_, O_WRONLY | O_CREAT | O_EXCL, "create");
  }
  ~Draft() { remove(); }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  const std::string& path() const { return path_; }
  void publish(const fs::path& file) {
    Descriptor(path_, O_RDONLY, "open").sync();
    for (const char* companion : kCompanions) unlink((file.string() + companion).c_str());
    if (rename(path_.c_str(), file.c_str()) != 0)
      fail(fmt::format("cannot rename {} to {}", path_, file.string()), errno);
    const fs::path folder = file.parent_path();
    Descriptor(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY, "open").sync();
  }

 private:
  void remove() const {
    unlink(path_.c_str());
    for (const char* companion : kCompanions) unlink((path_ + companion).c_str());
  }

  const std::string path_;
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

BackupSummary back_up(const std::string& data_dir, const std::string& file, bool force) {
  const std::string store = data_dir + "/tasks.db";
  { const Descriptor readable(store, O_RDONLY, "open"); }  // says why not better than SQLite does
  check_target(store, file, force);
  Draft draft(file + ".tmp");
  BackupSummary summary;
  try {
    SQLite::Database copy(draft.path(), SQLite::OPEN_READWRITE);
    copy_pages(store, copy);
    summary.tasks = finish(copy);
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("cannot copy {} to {}: {}", store, file, error.what()));
  }
  summary.bytes = fs::file_size(draft.path());
  draft.publish(file);
  return summary;
}

int run_backup(const Options& options) {
  const BackupSummary summary = back_up(options.data_dir, options.file, options.force);
  if (options.json)
    print({{"file", options.file}, {"tasks", summary.tasks}, {"bytes", summary.bytes}});
  else
    fmt::print("{}: {} tasks, {} bytes\n", process::escaped(options.file), summary.tasks,
               summary.bytes);
  return process::kExitOk;
}

}  // namespace genai::ctl
