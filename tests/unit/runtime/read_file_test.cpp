#include "protocol/runtime/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "tests/unit/temp_folder.h"

using namespace genai::runtime;
using genai::test::TempFolder;
using std::chrono::milliseconds;

TEST_CASE("a file is read whole, up to its limit") {
  const TempFolder folder;
  const std::string path = folder.file("f", "12345");
  CHECK(read_file(path, 5).value() == "12345");
  CHECK(read_file(folder.file("empty", ""), 5).value().empty());
  const auto longer = read_file(path, 4);
  REQUIRE(!longer);
  CHECK(longer.error() == "it is longer than 4 bytes");
}

TEST_CASE("what is no ordinary file is an error with its reason, soon") {
  const TempFolder folder;
  CHECK(read_file(folder / "missing", 5).error() == "No such file or directory");
  CHECK(read_file(folder.path, 5).error() == "Is a directory");
  CHECK(read_file("/dev/zero", 1000).error() == "it is longer than 1000 bytes");
  CHECK(read_file("/dev/null", 5).value().empty());
  const std::string pipe = folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(read_file(pipe, 5, milliseconds(20)).error() == "its end did not come within 20 ms");
}

TEST_CASE("a pipe that somebody feeds is read to its end") {
  const TempFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::thread feeder([&] {
    const int fd = open(pipe.c_str(), O_WRONLY);
    for (const char* part : {"1", "2", "3"}) CHECK(write(fd, part, 1) == 1);
    close(fd);
  });
  CHECK(read_file(pipe, 5).value() == "123");
  feeder.join();
}

TEST_CASE("a pipe that holds all already, as bash gives it, is read to its end") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(write(ends[1], "123", 3) == 3);
  close(ends[1]);
  CHECK(read_file("/dev/fd/" + std::to_string(ends[0]), 5, milliseconds(20)).value() == "123");
  close(ends[0]);
}

TEST_CASE("a pipe that never ends is given up") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(write(ends[1], "123", 3) == 3);
  CHECK(!read_file("/dev/fd/" + std::to_string(ends[0]), 5, milliseconds(20)));
  close(ends[0]);
  close(ends[1]);
}
