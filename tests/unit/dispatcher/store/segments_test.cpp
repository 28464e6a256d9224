// Where large data stands: what is kept, what is taken back, and what gives its room back.
#include "dispatcher/store/sqlite/segments.h"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "dispatcher/store/sqlite/segment_file.h"
#include "tests/unit/noise.h"
#include "tests/unit/temp_folder.h"

using namespace genai;
using namespace genai::dispatcher::store;
using genai::test::TempFolder;
namespace fs = std::filesystem;

namespace {

struct Folder {
  TempFolder folder;
  std::string path = folder.path + "/segments";

  Segments open() {
    auto opened = Segments::open(path);
    if (!opened) FAIL(opened.error().detail);
    return std::move(*opened);
  }
  std::string read(const Extent& extent) {
    const auto bytes = Segments::read(path, extent, 0, extent.bytes);
    return bytes ? std::string(bytes->view()) : "error: " + bytes.error().detail;
  }
  /// On the disk, which holes are not.
  std::uint64_t room() const {
    std::uint64_t blocks = 0;
    for (const auto& entry : fs::directory_iterator(path)) {
      struct stat file {};
      REQUIRE(stat(entry.path().c_str(), &file) == 0);
      blocks += static_cast<std::uint64_t>(file.st_blocks);
    }
    return blocks * 512;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        fs::directory_iterator(path),
        [](const auto& entry) { return entry.path().extension() == ".segment"; }));
  }
};

Extent keep(Segments& segments, const std::string& bytes) {
  const auto extent = segments.append(bytes);
  REQUIRE(extent);
  REQUIRE(segments.sync());
  segments.keep();
  return *extent;
}

std::string noise(std::size_t size) {
  static unsigned seed = 0;
  return genai::test::noise(size, ++seed);
}

}  // namespace

TEST_CASE("what was kept is read back, whole and in parts, also by a later process") {
  Folder folder;
  const std::string a = noise(100'000), b = noise(1), c = noise(70'000);
  Extent at_a, at_b, at_c;
  {
    Segments segments = folder.open();
    at_a = keep(segments, a);
    at_b = keep(segments, b);
    at_c = keep(segments, c);
  }
  CHECK(folder.read(at_a) == a);
  CHECK(folder.read(at_b) == b);
  CHECK(folder.read(at_c) == c);
  CHECK(Segments::read(folder.path, at_c, 69'000, 1'000)->view() ==
        std::string_view(c).substr(69'000));
  CHECK(folder.files() == 1);
  const auto mode = fs::status(folder.path + "/00000001.segment").permissions();
  CHECK(mode == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("what was not kept is taken back, and its place is used again") {
  Folder folder;
  Segments segments = folder.open();
  const Extent first = keep(segments, "first");
  REQUIRE(segments.append(noise(500'000)));
  segments.roll_back();
  const Extent second = keep(segments, "second");
  CHECK(second.at == first.at + first.bytes);
  CHECK(folder.read(first) == "first");
  CHECK(folder.read(second) == "second");
  CHECK(folder.room() < 100'000);
}

TEST_CASE("each process appends to a segment of its own") {
  Folder folder;
  Segments old = folder.open();
  const Extent first = keep(old, "first");
  Segments next = folder.open();
  const Extent second = keep(next, "second");
  CHECK(second.segment != first.segment);
  // It was fenced, and does not know yet.
  const Extent late = keep(old, "late");
  CHECK(late.segment == first.segment);
  CHECK(folder.read(second) == "second");
}

TEST_CASE("what is released gives its room back, and the rest stays") {
  Folder folder;
  const std::string kept = noise(300'000);
  Extent at_kept;
  std::vector<Extent> gone;
  Segments segments = folder.open();
  for (int i = 0; i < 10; ++i) {
    gone.push_back(keep(segments, noise(300'000)));
    if (i == 4) at_kept = keep(segments, kept);
  }
  REQUIRE(folder.room() > 3'000'000);
  CHECK(segments.release(gone));
  CHECK(gone.empty());
  CHECK(folder.room() < 500'000);
  CHECK(folder.read(at_kept) == kept);
}

TEST_CASE("a segment of an earlier process goes with the last that is in it") {
  Folder folder;
  Extent first, second;
  {
    Segments segments = folder.open();
    first = keep(segments, noise(10'000));
    second = keep(segments, noise(10'000));
  }
  Segments segments = folder.open();
  CHECK(segments.collect({first, second}) == 0);
  std::vector<Extent> gone = {first};
  CHECK(segments.release(gone));
  CHECK(folder.files() == 1);
  gone = {second};
  CHECK(segments.release(gone));
  CHECK(folder.files() == 0);
}

TEST_CASE("while a backup copies, no room is given back") {
  Folder folder;
  const std::string bytes = noise(100'000);
  Segments segments = folder.open();
  std::vector<Extent> gone = {keep(segments, bytes)};
  const Extent extent = gone.front();
  {
    const SegmentLock copying(folder.path, SegmentLock::Side::kCopy);
    REQUIRE(copying.is_held());
    CHECK(!segments.release(gone));
    CHECK(gone.size() == 1);
    CHECK(folder.open().collect({}) == 0);
    CHECK(folder.read(extent) == bytes);
  }
  CHECK(segments.release(gone));
  CHECK(folder.read(extent) != bytes);
}

TEST_CASE("a start gives back what nothing refers to") {
  Folder folder;
  const std::string kept = noise(400'000);
  Extent at_kept;
  {
    Segments segments = folder.open();
    keep(segments, noise(1'000'000));  // its row was never written, or is gone
    at_kept = keep(segments, kept);
    REQUIRE(segments.append(noise(1'000'000)));  // the process was killed in the middle
    REQUIRE(segments.sync());
  }
  {
    Segments segments = folder.open();
    keep(segments, noise(1'000'000));
  }
  Segments segments = folder.open();
  CHECK(segments.collect({at_kept}) > 2'900'000);
  CHECK(folder.room() < 500'000);
  CHECK(folder.files() == 1);
  CHECK(folder.read(at_kept) == kept);
}

TEST_CASE("the number of a segment whose file is gone is not used again") {
  Folder folder;
  Extent lost;
  {
    Segments segments = folder.open();
    lost = keep(segments, "lost");
  }
  fs::remove(folder.path + "/00000001.segment");
  Segments segments = folder.open();
  segments.collect({lost});
  CHECK(keep(segments, "new").segment == 2);
}

TEST_CASE("bytes that are not what was written are no data") {
  Folder folder;
  Segments segments = folder.open();
  const Extent extent = keep(segments, std::string(50'000, 'x'));
  const std::string file = folder.path + "/00000001.segment";

  SECTION("one was changed") {
    std::fstream disk(file, std::ios::in | std::ios::out | std::ios::binary);
    disk.seekp(25'000);
    disk.put('y');
    disk.close();
    CHECK_THAT(folder.read(extent), Catch::Matchers::Contains("has other bytes at 0"));
  }
  SECTION("the file is shorter") {
    fs::resize_file(file, 49'999);
    CHECK_THAT(folder.read(extent), Catch::Matchers::Contains("it ends before that"));
  }
  SECTION("the file is gone: nothing more may be promised on it") {
    fs::remove(file);
    CHECK_THAT(folder.read(extent), Catch::Matchers::Contains("cannot be opened"));
    REQUIRE(segments.append("more"));
    const auto synced = segments.sync();
    REQUIRE(!synced);
    CHECK(synced.error().failure == Failure::kIo);
  }
}
