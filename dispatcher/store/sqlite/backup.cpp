#include "dispatcher/store/sqlite/backup.h"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Database.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "dispatcher/store/sqlite/segment_file.h"
#include "protocol/base/descriptor.h"
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

std::string folder_of(const std::string& file) { return file + ".segments"; }

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

void check_target(const std::string& store, const std::string& file, bool force) {
  std::error_code ignored;
  if (fs::equivalent(store, file, ignored)) throw std::runtime_error(file + " is the store itself");
  if (fs::is_directory(file, ignored)) throw std::runtime_error(file + " is a folder");
  if (force) return;
  for (const std::string& path : {file, file + "-journal", file + "-wal", folder_of(file)})
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

// ---- large data

Descriptor open_or_fail(const std::string& path, int flags) {
  Descriptor file(open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (file.get() < 0) fail("cannot open " + path, errno);
  return file;
}

/// Bytes of one file to the same place of another.
void copy_bytes(int from, int to, std::uint64_t at, std::uint64_t bytes) {
  std::vector<char> buffer(std::min<std::uint64_t>(bytes, std::uint64_t{1} << 20));
  for (std::uint64_t part = 0; bytes > 0; at += part, bytes -= part) {
    part = std::min<std::uint64_t>(bytes, buffer.size());
    if (read_at(from, buffer.data(), part, at) != part)
      fail("cannot read large data", errno == 0 ? EIO : errno);
    if (!write_at(to, {buffer.data(), part}, at)) fail("cannot write large data", errno);
  }
}

/// The folder while it is made. It is removed unless it is published.
class FolderCopy {
 public:
  explicit FolderCopy(std::string path) : path_(std::move(path) + ".draft") {
    fs::remove_all(path_);
    fs::create_directory(path_);
    fs::permissions(path_, fs::perms::owner_all);
  }
  ~FolderCopy() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  FolderCopy(const FolderCopy&) = delete;

  const std::string& path() const { return path_; }
  void publish(const std::string& folder) {
    const Descriptor here = open_or_fail(path_, O_RDONLY | O_DIRECTORY);
    if (fsync(here.get()) != 0) fail("cannot sync " + path_, errno);
    fs::remove_all(folder);
    fs::rename(path_, folder);
  }

 private:
  const std::string path_;
};

/// A store of before version 5 has none.
bool has_large(SQLite::Database& copy) {
  return copy.tableExists("large") && copy.execAndGet("SELECT count(*) FROM large").getInt64() > 0;
}

/// What the copied file refers to, each to its old place: the rest of the segments are holes.
void copy_large(SQLite::Database& copy, const std::string& from, const std::string& to,
                BackupSummary& summary) {
  SQLite::Statement rows(copy,
                         "SELECT DISTINCT segment, at, bytes FROM large ORDER BY segment, at");
  std::uint64_t open_segment = 0;
  Descriptor source, target;
  const auto sync = [&] {
    if (target.get() >= 0 && fsync(target.get()) != 0) fail("cannot sync large data", errno);
  };
  while (rows.executeStep()) {
    const auto number = [&](int column) {
      return static_cast<std::uint64_t>(rows.getColumn(column).getInt64());
    };
    if (std::exchange(open_segment, number(0)) != number(0)) {
      sync();
      source = open_or_fail(segment_path(from, number(0)), O_RDONLY);
      target = open_or_fail(segment_path(to, number(0)), O_WRONLY | O_CREAT | O_EXCL);
    }
    copy_bytes(source.get(), target.get(), number(1), number(2));
    ++summary.large;
    summary.large_bytes += number(2);
  }
  sync();
}

}  // namespace

BackupSummary back_up_sqlite(const Options& options, const std::string& file, bool force) {
  const std::string store = options.data_dir + "/tasks.db";
  check_readable(store);
  check_target(store, file, force);
  Copy copied(file);
  BackupSummary summary;
  std::optional<FolderCopy> folder;
  try {
    const std::string segments = segments_folder(options.data_dir);
    // From the moment of which the pages are until its large data is copied.
    const SegmentLock lock(segments, SegmentLock::Side::kCopy);
    SQLite::Database copy(copied.path(), SQLite::OPEN_READWRITE);
    copy_pages(store, copy);
    summary.tasks = finish(copy);
    if (has_large(copy)) {
      summary.folder = folder_of(file);
      folder.emplace(summary.folder);
      copy_large(copy, segments, folder->path(), summary);
    }
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("cannot copy {} to {}: {}", store, file, error.what()));
  }
  summary.bytes = fs::file_size(copied.path()) + summary.large_bytes;
  if (folder)
    folder->publish(summary.folder);
  else if (force)
    fs::remove_all(folder_of(file));
  copied.publish(file);
  return summary;
}

}  // namespace genai::dispatcher::store
