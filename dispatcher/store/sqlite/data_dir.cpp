#include "dispatcher/store/sqlite/data_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

namespace genai::dispatcher::store {
namespace {

std::string error_text(int error) { return std::generic_category().message(error); }

tl::unexpected<StoreError> refuse(Failure failure, std::string detail) {
  return tl::unexpected(StoreError{failure, std::move(detail)});
}

std::string owner_of(int lock_fd) {
  char text[32];
  const ssize_t size = pread(lock_fd, text, sizeof text, 0);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "unknown";
}

}  // namespace

Result<DataDir> DataDir::open(std::string path, std::uint64_t reserve_bytes) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (error)
    return refuse(Failure::kNotWritable,
                  fmt::format("data-dir {} cannot be made: {}", path, error.message()));
  if (made) chmod(path.c_str(), 0700);

  const std::string lock = path + "/lock";
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return refuse(Failure::kNotWritable, fmt::format("data-dir {} cannot be written: {}: {}", path,
                                                     lock, error_text(errno)));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    const std::string owner = owner_of(fd);
    close(fd);
    if (reason == EWOULDBLOCK)
      return refuse(
          Failure::kInUse,
          fmt::format("data-dir {} is in use by another dispatcher (process {})", path, owner));
    return refuse(Failure::kNotWritable,
                  fmt::format("{} cannot be locked: {}", lock, error_text(reason)));
  }
  const std::string pid = std::to_string(getpid());
  // For people only; a full disk must not keep the dispatcher from starting.
  if (ftruncate(fd, 0) == 0) [[maybe_unused]]
    const ssize_t written = pwrite(fd, pid.data(), pid.size(), 0);

  DataDir dir(std::move(path), reserve_bytes, fd);
  if (const std::string rescued = dir.rescue_file(); !rescued.empty())
    return refuse(
        Failure::kDamaged,
        fmt::format("{} holds what {} had when its files were removed: put it in place of "
                    "that, or remove it",
                    rescued, dir.database()));
  // SQLite gives its other files the mode of this one.
  const int file = ::open(dir.database().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    return refuse(Failure::kNotWritable, fmt::format("{} cannot be opened for writing: {}",
                                                     dir.database(), error_text(errno)));
  close(file);
  dir.make_reserve();
  return dir;
}

DataDir::DataDir(DataDir&& other) noexcept
    : path_(std::move(other.path_)),
      reserve_bytes_(other.reserve_bytes_),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      has_reserve_(other.has_reserve_),
      files_(other.files_) {}

DataDir::~DataDir() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

std::uint64_t DataDir::free_bytes() const {
  struct statvfs disk {};
  if (statvfs(path_.c_str(), &disk) != 0) return UINT64_MAX;
  return std::uint64_t{disk.f_bavail} * disk.f_frsize;
}

std::uint64_t DataDir::disk_bytes() const {
  struct statvfs disk {};
  if (statvfs(path_.c_str(), &disk) != 0) return 0;
  return std::uint64_t{disk.f_blocks} * disk.f_frsize;
}

DataDir::FileId DataDir::id_of(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return {};
  return {std::uint64_t{file.st_dev}, std::uint64_t{file.st_ino}};
}

void DataDir::remember_files() { std::ranges::transform(database_files(), files_.begin(), id_of); }

Result<void> DataDir::check_files() const {
  const auto paths = database_files();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const FileId there = id_of(paths[i]);
    if (files_[i] == FileId{} || there == files_[i]) continue;
    return refuse(Failure::kIo, fmt::format("{} was {} while this process used it", paths[i],
                                            there == FileId{} ? "removed or moved" : "replaced"));
  }
  return {};
}

std::string DataDir::make_rescue_file() const {
  for (int number = 1; number <= 100; ++number) {
    std::string path = fmt::format("{}/rescued-{}.db", path_, number);
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) break;
    close(fd);
    return path;
  }
  return {};
}

void DataDir::put_log_aside() const {
  const auto paths = database_files();
  for (std::size_t i = 1; i < paths.size(); ++i)
    if (files_[i] != FileId{} && id_of(paths[i]) == files_[i])
      rename(paths[i].c_str(), (paths[i] + ".old").c_str());
}

std::string DataDir::rescue_file() const {
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(path_, unreadable)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("rescued-") && name.ends_with(".db")) return entry.path();
  }
  return {};
}

void DataDir::drop_reserve() {
  unlink(reserve_path().c_str());
  has_reserve_ = false;
}

void DataDir::make_reserve() {
  if (reserve_bytes_ == 0) {
    has_reserve_ = true;
    return;
  }
  const int fd = ::open(reserve_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  has_reserve_ = posix_fallocate(fd, 0, static_cast<off_t>(reserve_bytes_)) == 0;
  if (has_reserve_ && ftruncate(fd, static_cast<off_t>(reserve_bytes_)) != 0) has_reserve_ = false;
  close(fd);
  if (!has_reserve_) unlink(reserve_path().c_str());
}

}  // namespace genai::dispatcher::store
