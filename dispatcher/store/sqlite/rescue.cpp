#include "dispatcher/store/sqlite/rescue.h"

#include <SQLiteCpp/Statement.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace genai::dispatcher::store {
namespace {

/// SQLite does not do it for what it writes with VACUUM INTO.
void sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

}  // namespace

Result<void> check_files(SQLite::Database& database, const DataDir& dir) {
  const auto checked = dir.check_files();
  if (checked) return checked;
  const std::string copy = dir.make_rescue_file();
  if (copy.empty()) return checked;
  StoreError error = checked.error();
  try {
    SQLite::Statement sql(database, "VACUUM INTO ?");
    sql.bind(1, copy);
    sql.exec();
    sync(copy);
    sync(dir.path());
    dir.put_log_aside();
    error.detail += "; what was in it was saved as " + copy +
                    ": stop the dispatcher, and put that in place of tasks.db";
  } catch (const SQLite::Exception& failed) {
    unlink(copy.c_str());
    error.detail += fmt::format("; and could not be saved: {}", failed.what());
  }
  return tl::unexpected(std::move(error));
}

}  // namespace genai::dispatcher::store
