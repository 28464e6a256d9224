#include "dispatcher/store/sqlite/segments.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "dispatcher/store/sqlite/segment_file.h"
#include "protocol/base/check.h"

namespace genai::dispatcher::store {
namespace {

namespace fs = std::filesystem;

std::string error_text(int number) { return std::generic_category().message(number); }

/// The number of a segment's file; nothing for other files.
std::optional<std::uint64_t> number_of(const std::string& name) {
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data(), end, number);
  if (error != std::errc() || std::string_view(rest, end) != ".segment") return std::nullopt;
  return number;
}

/// A file system that cannot do this keeps the room until the whole segment goes.
void punch(int fd, std::uint64_t at, std::uint64_t bytes) {
  fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(at),
            static_cast<off_t>(bytes));
}

/// Only what is not there, or cannot be read by the disk, is lost: what this process lacks now
/// (descriptors, memory, a permission) says nothing of the data.
Failure failure_of(int number) {
  const bool is_lost = number == 0 || number == ENOENT || number == EIO;
  return is_lost ? Failure::kDamaged : Failure::kLocked;
}

bool is_before(const Extent& a, const Extent& b) {
  return std::pair(a.segment, a.at) < std::pair(b.segment, b.at);
}

}  // namespace

StoreError Segments::error(const char* verb, int number) const {
  const bool is_full = number == ENOSPC || number == EDQUOT;
  return {
      is_full ? Failure::kFull : Failure::kIo,
      fmt::format("{} cannot be {}: {}", segment_path(folder_, newest_), verb, error_text(number))};
}

Result<Segments> Segments::open(std::string folder) {
  std::error_code error;
  if (fs::create_directories(folder, error)) chmod(folder.c_str(), 0700);
  Segments segments(std::move(folder));
  auto entries = fs::directory_iterator(segments.folder_, error);
  if (error)
    return tl::unexpected(
        StoreError{Failure::kNotWritable,
                   fmt::format("{} cannot be read: {}", segments.folder_, error.message())});
  for (const auto& entry : entries)
    if (const auto number = number_of(entry.path().filename())) {
      segments.live_bytes_.emplace(*number, 0);
      segments.last_ = std::max(segments.last_, *number);
    }
  return segments;
}

// ---- writing

Result<void> Segments::begin_segment() {
  for (;;) {
    newest_ = ++last_;
    file_ = Descriptor(::open(segment_path(folder_, newest_).c_str(),
                              O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file_.get() >= 0) break;
    if (errno != EEXIST) {
      const int reason = errno;
      const StoreError why = error("made", reason);
      newest_ = 0;
      return tl::unexpected(why);
    }
  }
  live_bytes_.emplace(newest_, 0);
  end_ = kept_end_ = 0;
  is_new_ = true;
  return {};
}

Result<Extent> Segments::append(std::string_view bytes) {
  GENAI_CHECK(!bytes.empty());
  // A segment is not changed while something in it is neither kept nor taken back.
  if (newest_ == 0 || (end_ >= kSegmentBytes && end_ == kept_end_))
    if (auto begun = begin_segment(); !begun) return tl::unexpected(begun.error());
  if (!write_at(file_.get(), bytes, end_)) return tl::unexpected(error("written", errno));
  const Extent extent{newest_, end_, bytes.size(), digest_of(bytes)};
  end_ += bytes.size();
  return extent;
}

Result<void> Segments::sync() {
  if (end_ == kept_end_) return {};
  if (fdatasync(file_.get()) != 0) return tl::unexpected(error("synced", errno));
  struct stat ours {
  }, there{};
  if (fstat(file_.get(), &ours) != 0 || stat(segment_path(folder_, newest_).c_str(), &there) != 0 ||
      ours.st_ino != there.st_ino || ours.st_dev != there.st_dev)
    return tl::unexpected(
        StoreError{Failure::kIo, fmt::format("{} was removed or moved while this process used it",
                                             segment_path(folder_, newest_))});
  if (!is_new_) return {};
  const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || fsync(folder.get()) != 0) return tl::unexpected(error("synced", errno));
  is_new_ = false;
  return {};
}

void Segments::keep() {
  if (newest_ != 0) live_bytes_[newest_] += end_ - kept_end_;
  kept_end_ = end_;
}

void Segments::roll_back() {
  if (newest_ == 0) return;
  // Also what an append that failed has written. If this fails the room is lost until the segment
  // goes: nothing refers to it.
  [[maybe_unused]] const int done = ftruncate(file_.get(), static_cast<off_t>(kept_end_));
  end_ = kept_end_;
}

// ---- giving room back

void Segments::remove(std::uint64_t segment) {
  unlink(segment_path(folder_, segment).c_str());
  live_bytes_.erase(segment);
}

bool Segments::release(std::vector<Extent>& extents) {
  const SegmentLock lock(folder_, SegmentLock::Side::kRelease);
  if (!lock.is_held()) return false;
  std::ranges::sort(extents, is_before);
  for (auto first = extents.begin(); first != extents.end();) {
    std::uint64_t end = first->at + first->bytes;
    auto last = first + 1;
    // Neighbours mostly go together, and one hole is cheaper than many.
    for (; last != extents.end() && last->segment == first->segment && last->at == end; ++last)
      end += last->bytes;
    release(first->segment, first->at, end - first->at);
    first = last;
  }
  extents.clear();
  return true;
}

void Segments::release(std::uint64_t segment, std::uint64_t at, std::uint64_t bytes) {
  const auto live = live_bytes_.find(segment);
  GENAI_CHECK(live != live_bytes_.end() && live->second >= bytes);
  live->second -= bytes;
  if (segment == newest_) return punch(file_.get(), at, bytes);
  if (live->second == 0) return remove(segment);
  const Descriptor file(::open(segment_path(folder_, segment).c_str(), O_RDWR | O_CLOEXEC));
  if (file.get() >= 0) punch(file.get(), at, bytes);
}

std::uint64_t Segments::collect(const std::vector<Extent>& live) {
  GENAI_CHECK(newest_ == 0);
  // Its number is not used again, though its file may be gone.
  if (!live.empty()) last_ = std::max(last_, live.back().segment);
  const SegmentLock lock(folder_, SegmentLock::Side::kRelease);
  for (auto& [segment, bytes] : live_bytes_) bytes = 0;
  for (const Extent& extent : live) live_bytes_[extent.segment] += extent.bytes;
  std::uint64_t freed = 0;
  if (!lock.is_held()) return freed;  // the next start does it
  for (auto next = live_bytes_.begin(); next != live_bytes_.end();) {
    const std::uint64_t segment = (next++)->first;
    freed += collect(segment, std::ranges::equal_range(live, segment, {}, &Extent::segment));
  }
  return freed;
}

bool Segments::has_any_of(const std::vector<Extent>& live) const {
  return live.empty() || std::ranges::any_of(live, [&](const Extent& extent) {
           return fs::exists(segment_path(folder_, extent.segment));
         });
}

std::uint64_t Segments::collect(std::uint64_t segment, std::span<const Extent> live) {
  const Descriptor file(::open(segment_path(folder_, segment).c_str(), O_RDWR | O_CLOEXEC));
  struct stat there {};
  if (file.get() < 0 || fstat(file.get(), &there) != 0) return 0;
  const auto held = [&] {
    fstat(file.get(), &there);
    return static_cast<std::uint64_t>(there.st_blocks) * 512;
  };
  const std::uint64_t before = held();
  if (live.empty()) {
    remove(segment);
    return before;
  }
  std::uint64_t at = 0;
  const auto punch_until = [&](std::uint64_t end) {
    if (end > at) punch(file.get(), at, end - at);
  };
  for (const Extent& extent : live) {
    punch_until(extent.at);
    at = extent.at + extent.bytes;
  }
  punch_until(static_cast<std::uint64_t>(there.st_size));
  return before - std::min(before, held());
}

// ---- reading

Result<Blob> Segments::read(const std::string& folder, const Extent& extent, std::uint64_t offset,
                            std::uint64_t bytes) {
  GENAI_CHECK(offset <= extent.bytes && bytes <= extent.bytes - offset);
  const std::string path = segment_path(folder, extent.segment);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0)
    return tl::unexpected(StoreError{
        failure_of(errno), fmt::format("{} cannot be opened: {}", path, error_text(errno))});
  auto buffer = std::make_shared_for_overwrite<char[]>(bytes);
  if (read_at(file.get(), buffer.get(), bytes, extent.at + offset) != bytes)
    return tl::unexpected(StoreError{
        failure_of(errno), fmt::format("{} cannot be read at {}: {}", path, extent.at + offset,
                                       errno == 0 ? "it ends before that" : error_text(errno))});
  const std::string_view view(buffer.get(), bytes);
  if (bytes == extent.bytes && digest_of(view) != extent.digest)
    return tl::unexpected(
        StoreError{Failure::kDamaged,
                   fmt::format("{} has other bytes at {} than were written", path, extent.at)});
  return Blob(std::move(buffer), view);
}

}  // namespace genai::dispatcher::store
