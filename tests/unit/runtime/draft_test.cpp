// Files that are whole or not there, whatever somebody has put in their way.
#include "protocol/runtime/draft.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <iterator>

#include "tests/unit/temp_folder.h"

using namespace genai::runtime;
using genai::test::TempFolder;
namespace fs = std::filesystem;

namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

auto files(const TempFolder& folder) {
  return std::distance(fs::directory_iterator(folder.path), {});
}

}  // namespace

TEST_CASE("a file appears under its name when it is whole, with the rights asked for") {
  const TempFolder folder;
  const std::string path = folder.file("picture", "old");
  {
    Draft draft(path, 0600);
    draft.write("new");
    CHECK(content(path) == "old");
    draft.publish();
  }
  CHECK(content(path) == "new");
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(files(folder) == 1);
}

TEST_CASE("what is not published leaves nothing, and the old file stays") {
  const TempFolder folder;
  const std::string path = folder.file("picture", "old");
  Draft(path, 0600).write("new");
  CHECK(content(path) == "old");
  CHECK(files(folder) == 1);
}

TEST_CASE("a link under the file's name is replaced, and what it points to is not touched") {
  const TempFolder folder;
  const std::string victim = folder.file("victim", "precious");
  fs::create_symlink(victim, folder / "picture");
  Draft draft(folder / "picture", 0600);
  draft.write("new");
  draft.publish();
  CHECK(content(victim) == "precious");
  CHECK(fs::is_regular_file(fs::symlink_status(folder / "picture")));
  CHECK(content(folder / "picture") == "new");
}

TEST_CASE("a new file takes the place of nothing") {
  const TempFolder folder;
  const std::string victim = folder.file("victim", "precious");
  fs::create_symlink(victim, folder / "link");
  fs::create_directory(folder / "folder");
  for (const char* name : {"victim", "link", "folder"}) {
    Draft draft(folder / name, 0600);
    draft.write("new");
    CHECK_FALSE(draft.publish_new());
  }
  CHECK(content(victim) == "precious");
  CHECK(files(folder) == 3);
  Draft draft(folder / "picture", 0600);
  draft.write("new");
  CHECK(draft.publish_new());
  CHECK(content(folder / "picture") == "new");
  CHECK(files(folder) == 4);
}

TEST_CASE("nobody can foresee the name of a draft") {
  const TempFolder folder;
  const Draft one(folder / "picture", 0600), two(folder / "picture", 0600);
  CHECK(one.path() != two.path());
}

TEST_CASE("a disk that is full in the middle is an error that names the file") {
  const TempFolder folder;
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto action = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  std::string what;
  try {
    Draft draft(folder / "picture", 0600);
    draft.write(std::string(10'000, 'x'));
  } catch (const std::runtime_error& error) {
    what = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, action);
  CHECK(what == "cannot write " + (folder / "picture") + ": File too large");
  CHECK(files(folder) == 0);
}

TEST_CASE("a folder that is not there is an error that names the file") {
  const TempFolder folder;
  CHECK_THROWS_WITH(Draft(folder / "none/picture", 0600),
                    "cannot write " + (folder / "none/picture") + ": No such file or directory");
}
