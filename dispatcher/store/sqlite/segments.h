// Where large data stands: files to which it is appended, so that one sync makes any number of
// payloads and results durable. A file for each of them was 20 times slower at 64 KiB, and twice as
// slow at 1 MiB, since each new file is a sync of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dispatcher/store/store.h"
#include "dispatcher/tasks/digest.h"
#include "protocol/base/descriptor.h"

namespace genai::dispatcher::store {

/// A stretch of a segment.
struct Extent {
  std::uint64_t segment = 0;
  std::uint64_t at = 0;     // bytes
  std::uint64_t bytes = 0;  // at least 1
  Digest digest{};          // BLAKE2b-128 of the bytes

  friend bool operator==(const Extent&, const Extent&) = default;
};

/// The folder of segments, named by growing numbers. Only the newest is appended to, and only by
/// the process that made it: one that was fenced cannot overwrite what its successor writes.
///
/// Use: append() and sync(), then write the extents where they outlive the process, then keep().
/// What was appended since the last keep() goes with roll_back(). Not thread-safe.
class Segments {
 public:
  /// A segment is followed by a new one when it has so many bytes.
  static constexpr std::uint64_t kSegmentBytes = std::uint64_t{256} << 20;

  /// Makes the folder (mode 0700) when it is not there.
  static Result<Segments> open(std::string folder);

  Result<Extent> append(std::string_view bytes);
  /// What was appended is on the disk when this returns.
  Result<void> sync();
  void keep();
  void roll_back();

  /// Gives the room of the extents back, and empties the list; nobody may refer to them any more.
  /// False, and nothing is done, while a backup copies.
  bool release(std::vector<Extent>& extents);
  /// Releases whatever is not in one of `live`, which must be sorted by segment and place. Returns
  /// the bytes that nothing referred to. Call it before the first append().
  std::uint64_t collect(const std::vector<Extent>& live);
  /// Whether the file of any of these is there, or there are none.
  bool has_any_of(const std::vector<Extent>& live) const;

  /// Bytes of a segment, as they were written. Any thread may call it. kDamaged: it is shorter, or
  /// not there.
  static Result<Blob> read(const std::string& folder, const Extent& extent, std::uint64_t offset,
                           std::uint64_t bytes);
  const std::string& folder() const { return folder_; }

 private:
  explicit Segments(std::string folder) : folder_(std::move(folder)) {}
  Result<void> begin_segment();
  void remove(std::uint64_t segment);
  void release(std::uint64_t segment, std::uint64_t at, std::uint64_t bytes);
  std::uint64_t collect(std::uint64_t segment, std::span<const Extent> live);
  StoreError error(const char* verb, int number) const;

  std::string folder_;
  /// What is in use of each segment.
  std::map<std::uint64_t, std::uint64_t> live_bytes_;
  std::uint64_t last_ = 0;    // segment that was made last, by anybody
  std::uint64_t newest_ = 0;  // that this process appends to; 0: none
  Descriptor file_;
  std::uint64_t end_ = 0, kept_end_ = 0;  // of the newest
  bool is_new_ = false;                   // its name is not on the disk yet
};

}  // namespace genai::dispatcher::store
