#include "protocol/runtime/draft.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace genai::runtime {
namespace {

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

/// Of a draft: tells whoever finds one, after a crash, what it was to become.
std::string random_path(const std::string& target) {
  constexpr std::size_t kMaxDraftNameBytes = 200;  // of 255 that a name may have
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number)
    throw std::system_error(errno, std::generic_category(), "getrandom");
  const std::string name =
      std::filesystem::path(target).filename().string().substr(0, kMaxDraftNameBytes);
  return fmt::format("{}/{}.{:016x}.part", folder_of(target), name, number);
}

/// Gives a file a name that nothing has. The error: EEXIST if something has it.
int rename_new(const char* from, const char* to) {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system that does not know the flag.
  if (link(from, to) != 0) return errno;
  unlink(from);
  return 0;
}

}  // namespace

/// Some file systems do not know how to sync a folder, and say so: there is nothing more to do.
bool sync_folder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0 || errno == EINVAL;
  const int error = errno;
  close(fd);
  errno = error;
  return synced;
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      throw std::system_error(errno, std::generic_category());
  }
}

Draft::Draft(const std::string& target, mode_t mode)
    : target_(target), folder_(folder_of(target)), path_(random_path(target)) {
  fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd_ < 0) fail(errno);
}

Draft::~Draft() {
  close(fd_);
  if (!published_) unlink(path_.c_str());
}

void Draft::fail(int error) const {
  throw std::runtime_error("cannot write " + target_ + ": " +
                           std::generic_category().message(error));
}

void Draft::write(std::string_view bytes) {
  try {
    write_all(fd_, bytes);
  } catch (const std::system_error& error) {
    fail(error.code().value());
  }
}

void Draft::publish() {
  if (fsync(fd_) != 0) fail(errno);
  if (rename(path_.c_str(), target_.c_str()) != 0) fail(errno);
  finish();
}

bool Draft::publish_new() {
  if (fsync(fd_) != 0) fail(errno);
  const int error = rename_new(path_.c_str(), target_.c_str());
  if (error == EEXIST) return false;
  if (error != 0) fail(error);
  finish();
  return true;
}

/// It has its name.
void Draft::finish() {
  published_ = true;
  if (!sync_folder(folder_)) fail(errno);
}

}  // namespace genai::runtime
