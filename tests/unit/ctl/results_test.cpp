// Results as files: whole or not there, and only inside the folder.
#include "tools/ctl/results.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "tools/ctl/prompts.h"

using namespace genai;
using namespace genai::ctl;

namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("genai-results-test-" + std::to_string(getpid()))) {
    fs::remove_all(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), {}));
  }
  fs::path path;
};

client::TaskResult result(const std::string& id, const std::string& data) {
  client::TaskResult r;
  r.id = id;
  r.data = data;
  return r;
}

}  // namespace

TEST_CASE("a result becomes a file of its task's name, and nothing else stays") {
  Folder folder;
  const ResultFolder results(folder.path / "new", ".png");
  const std::string data("\0\xff picture", 10);
  const fs::path path = results.write(result("t-1", data));
  CHECK(path == folder.path / "new" / "t-1.png");
  std::ifstream file(path, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == data);
  results.write(result("t-1", "again"));
  CHECK(fs::file_size(path) == 5);
  CHECK(std::distance(fs::directory_iterator(folder.path / "new"), {}) == 1);
}

TEST_CASE("what cannot be written is an error and leaves no draft") {
  Folder folder;
  const ResultFolder results(folder.path, "");
  fs::create_directories(folder.path / "t-1" / "occupied");
  CHECK_THROWS_AS(results.write(result("t-1", "x")), std::runtime_error);
  CHECK(folder.files() == 1);
}

TEST_CASE("names that are no file names are refused") {
  Folder folder;
  CHECK_THROWS_AS(ResultFolder(folder.path, "/../../x"), InputError);
  CHECK_THROWS_AS(ResultFolder(folder.path, std::string(192, 's')), InputError);
  const ResultFolder results(folder.path, "");
  CHECK_THROWS_AS(results.check(".."), InputError);
  CHECK_THROWS_AS(results.check("."), InputError);
  CHECK_NOTHROW(results.check("..."));
  CHECK_NOTHROW(ResultFolder(folder.path, ".png").check(".."));
  std::ofstream(folder.path / "plain") << "x";
  CHECK_THROWS_AS(ResultFolder(folder.path / "plain", ""), InputError);
}
