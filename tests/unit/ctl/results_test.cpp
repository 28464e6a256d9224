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
  Folder()
      : path(fs::temp_directory_path() /
             ("genai-results-test-" + std::to_string(getpid()) + "-" + std::to_string(++made))) {
    fs::remove_all(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), {}));
  }
  static inline int made = 0;
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
  const fs::path path = results.write(result("t-1", data)).path;
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

namespace {

constexpr char kPng[] = "\x89PNG\r\n\x1a\n picture";

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// Names and contents of files that are their own content.
client::TaskResult bundle(const std::string& id, const std::vector<std::string>& names) {
  client::TaskResult r;
  r.id = id;
  r.status = client::Status::kCompleted;
  std::string data;
  for (const std::string& name : names) data += name;
  r.data = data;
  std::size_t begin = 0;
  for (const std::string& name : names) {
    r.bundle.push_back(
        {name, {}, Data(r.data.owner(), r.data.view().substr(begin, name.size())), {}});
    begin += name.size();
  }
  return r;
}

}  // namespace

TEST_CASE("a single file gets the suffix that belongs to it") {
  Folder folder;
  const ResultFolder results(folder.path, "");
  const auto suffix = [&](client::TaskResult r) {
    r.status = client::Status::kCompleted;
    return fs::path(results.write(r).path).filename().string();
  };
  CHECK(suffix(result("t-1", kPng)) == "t-1.png");
  CHECK(suffix(result("t-2", "just a text")) == "t-2");
  client::TaskResult typed = result("t-3", "just a text");
  typed.content_type = "text/plain; charset=utf-8";
  CHECK(suffix(typed) == "t-3.txt");
  typed = result("t-4", kPng);
  typed.content_type = "application/octet-stream";
  CHECK(suffix(typed) == "t-4.png");
  CHECK(suffix(bundle("t-5", {"a/mesh.obj"})) == "t-5.obj");
  CHECK(suffix(bundle("t-6", {".bashrc"})) == "t-6");
  CHECK(suffix(bundle("t-7", {"a.b c"})) == "t-7");
  CHECK(suffix(bundle("t-8", {"a.muchtoolong"})) == "t-8");
  const ResultFolder told(folder.path, ".jpg");
  CHECK(told.write(result("t-9", kPng)).path == folder.path / "t-9.jpg");
}

TEST_CASE("several files become a folder with safe names") {
  Folder folder;
  const ResultFolder results(folder.path, "");
  const std::vector<std::string> names{"a.png", "m/1.png", "m/.x", "m/_x", "x:y", "x*y", "x_y/z"};
  const Written written = results.write(bundle("t-1", names));
  CHECK(written.path == folder.path / "t-1");
  CHECK(text_of(written) == (folder.path / "t-1").string() + "/ (7 files)");
  const std::vector<std::string> expected{"a.png", "m/1.png", "m/_x", "m/_x-2",
                                          "x_y-2", "x_y-3",   "x_y/z"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    CHECK(written.files[i] == folder.path / "t-1" / expected[i]);
    CHECK(content_of(written.files[i]) == names[i]);
  }
  CHECK(folder.files() == 1);
  // Nobody's folder is the one above.
  CHECK(results.write(bundle("..", {"a", "b"})).path == folder.path / "_..");
}

TEST_CASE("a file that exists is replaced only if told to") {
  Folder folder;
  const ResultFolder results(folder.path, "");
  fs::create_directories(folder.path / "t-1");
  std::ofstream(folder.path / "t-1" / "a.png") << "mine";
  std::ofstream(folder.path / "t-2.png") << "mine";
  for (int run = 0; run < 2; ++run) {  // the second run finds what the first has written
    const Written written = results.write(bundle("t-1", {"a.png", "b.png"}));
    CHECK(written.files[0] == folder.path / "t-1" / "a-2.png");
    CHECK(written.files[1] == folder.path / "t-1" / "b.png");
    CHECK(results.write(result("t-2", kPng)).path == folder.path / "t-2-2.png");
  }
  CHECK(content_of(folder.path / "t-1" / "a.png") == "mine");
  CHECK(content_of(folder.path / "t-2.png") == "mine");
  CHECK(folder.files() == 3);
  const ResultFolder replacing(folder.path, "", true);
  CHECK(replacing.write(bundle("t-1", {"a.png", "b.png"})).files[0] ==
        folder.path / "t-1" / "a.png");
  CHECK(content_of(folder.path / "t-1" / "a.png") == "a.png");
  CHECK(replacing.write(result("t-2", kPng)).path == folder.path / "t-2.png");
}

TEST_CASE("no link leads out of the folder") {
  Folder folder, elsewhere;
  const ResultFolder results(folder.path, "", true);
  fs::create_directories(elsewhere.path / "m");
  fs::create_directories(folder.path / "t-1");
  fs::create_directory_symlink(elsewhere.path / "m", folder.path / "t-1" / "m");
  fs::create_directory_symlink(elsewhere.path, folder.path / "t-2");
  CHECK_THROWS_AS(results.write(bundle("t-1", {"m/a", "b"})), std::runtime_error);
  CHECK_THROWS_AS(results.write(bundle("t-2", {"a", "b"})), std::runtime_error);
  CHECK(fs::is_empty(elsewhere.path / "m"));
  CHECK(elsewhere.files() == 1);
}
