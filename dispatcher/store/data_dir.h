// The folder that one dispatcher owns: its lock, its file, its last reserve of room.
#pragma once

#include <cstdint>
#include <string>

#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// Holds a lock on the folder while it lives. Not thread-safe.
class DataDir {
 public:
  /// Makes the folder (mode 0700) when it is not there. kInUse when another process has it,
  /// kNotWritable with the reason otherwise.
  static Result<DataDir> open(std::string path, std::uint64_t reserve_bytes);

  DataDir(DataDir&& other) noexcept;
  DataDir& operator=(DataDir&&) = delete;
  ~DataDir();

  const std::string& path() const { return path_; }
  std::string database() const { return path_ + "/tasks.db"; }
  /// Room on its disk for this process; UINT64_MAX when that cannot be told.
  std::uint64_t free_bytes() const;

  /// A file of nothing that is given up when the disk is full, so that results still get in.
  bool has_reserve() const { return has_reserve_; }
  void drop_reserve();
  /// Makes it again; it stays away when there is no room.
  void make_reserve();
  std::uint64_t reserve_bytes() const { return reserve_bytes_; }

 private:
  DataDir(std::string path, std::uint64_t reserve_bytes, int lock_fd)
      : path_(std::move(path)), reserve_bytes_(reserve_bytes), lock_fd_(lock_fd) {}
  std::string reserve_path() const { return path_ + "/reserve"; }

  std::string path_;
  std::uint64_t reserve_bytes_;
  int lock_fd_;
  bool has_reserve_ = false;
};

}  // namespace genai::dispatcher::store
