// What the store and its backup both know of segments: their names, and who may give room back.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cstdint>
#include <string>

#include "protocol/base/descriptor.h"

namespace genai::dispatcher::store {

/// Of the folder of a data dir.
inline std::string segments_folder(const std::string& data_dir) { return data_dir + "/segments"; }

inline std::string segment_path(const std::string& folder, std::uint64_t segment) {
  return fmt::format("{}/{:08}.segment", folder, segment);
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
