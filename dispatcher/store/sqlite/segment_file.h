// What the store and its backup both know of segments: their names, and who may give room back.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/descriptor.h"

namespace genai::dispatcher::store {

/// Of the folder of a data dir.
inline std::string segments_folder(const std::string& data_dir) { return data_dir + "/segments"; }

inline std::string segment_path(const std::string& folder, std::uint64_t segment) {
  return fmt::format("{}/{:08}.segment", folder, segment);
}

/// Reads up to `bytes` from a place of a file; returns how many. Fewer: the file ends there, and
/// errno is 0, or an error, which errno tells.
inline std::size_t read_at(int fd, char* into, std::size_t bytes, std::uint64_t at) {
  std::size_t done = 0;
  errno = 0;
  while (done < bytes) {
    const ssize_t got = pread(fd, into + done, bytes - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = 0;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

/// Writes all of it to a place of a file. False: errno tells why not.
inline bool write_at(int fd, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t wrote = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote == 0) errno = ENOSPC;
    if (wrote <= 0) return false;
    at += static_cast<std::uint64_t>(wrote);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

/// While a backup copies the data of one moment, the store must not give the room of any back. The
/// lock ends with this object, or with the process.
class SegmentLock {
 public:
  enum class Side { kCopy, kRelease };
  /// kCopy waits for a release that is under way, kRelease waits for nothing. Without a folder
  /// there is nothing to lock.
  SegmentLock(const std::string& folder, Side side)
      : file_(::open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
        held_(file_.get() >= 0 &&
              flock(file_.get(), side == Side::kCopy ? LOCK_SH : LOCK_EX | LOCK_NB) == 0) {}
  bool is_held() const { return held_; }

 private:
  Descriptor file_;
  const bool held_;
};

}  // namespace genai::dispatcher::store
