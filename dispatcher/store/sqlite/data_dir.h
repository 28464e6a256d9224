// The folder that one dispatcher owns: its lock, its file, its last reserve of room.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "dispatcher/store/sqlite/segment_file.h"
#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// Holds a lock on the folder while it lives. Not thread-safe.
class DataDir {
 public:
  /// Makes the folder (mode 0700) when it is not there. kInUse when another process has it,
  /// kDamaged when a rescued copy waits to be put in place (serving without it would look like a
  /// loss), kNotWritable with the reason otherwise.
  static Result<DataDir> open(std::string path, std::uint64_t reserve_bytes);

  DataDir(DataDir&& other) noexcept;
  DataDir& operator=(DataDir&&) = delete;
  ~DataDir();

  const std::string& path() const { return path_; }
  std::string database() const { return path_ + "/tasks.db"; }
  /// The folder of large data.
  std::string segments() const { return segments_folder(path_); }
  /// Room on its disk for this process; UINT64_MAX when that cannot be told.
  std::uint64_t free_bytes() const;

  /// The size of its disk; 0 when that cannot be told.
  std::uint64_t disk_bytes() const;

  /// Remembers which files the database consists of now: it must have been written or read.
  void remember_files();
  /// Whether those files still stand in the folder, under its path. A file that was removed can be
  /// written on, and is gone with this process: nothing may be promised on it.
  Result<void> check_files() const;
  /// A file beside the database for what is rescued of it, empty and for this user alone; none when
  /// the folder takes none.
  std::string make_rescue_file() const;
  /// Takes away what is left beside the database of the files that were remembered. SQLite would
  /// apply that log to whatever is put in the database's place, and ruin it.
  void put_log_aside() const;

  /// A file of nothing that is given up when the disk is full, so that results still get in.
  bool has_reserve() const { return has_reserve_; }
  void drop_reserve();
  /// Makes it again; it stays away when there is no room.
  void make_reserve();
  std::uint64_t reserve_bytes() const { return reserve_bytes_; }

 private:
  DataDir(std::string path, std::uint64_t reserve_bytes, int lock_fd)
      : path_(std::move(path)), reserve_bytes_(reserve_bytes), lock_fd_(lock_fd) {}
  /// A rescued copy that still lies in the folder, if any.
  std::string rescue_file() const;
  std::string reserve_path() const { return path_ + "/reserve"; }
  std::array<std::string, 3> database_files() const {
    return {database(), database() + "-wal", database() + "-shm"};
  }
  struct FileId {
    std::uint64_t device = 0, inode = 0;  // both 0: no such file
    friend bool operator==(const FileId&, const FileId&) = default;
  };
  static FileId id_of(const std::string& path);

  std::string path_;
  std::uint64_t reserve_bytes_;
  int lock_fd_;
  bool has_reserve_ = false;
  std::array<FileId, 3> files_;  // of database_files()
};

}  // namespace genai::dispatcher::store
