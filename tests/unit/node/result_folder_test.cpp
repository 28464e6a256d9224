// What a command leaves in its result folder, and what of it counts.
#include "tools/node/result_folder.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "protocol/base/bundle.h"
#include "tests/unit/temp_folder.h"

namespace genai::node {
namespace {

namespace fs = std::filesystem;
using genai::test::TempFolder;

std::vector<std::string> names_in(const TempFolder& folder) {
  std::vector<std::string> names;
  for (const ResultFile& file : read_result_folder(folder.path, {})) names.push_back(file.name);
  return names;
}

TEST_CASE("the files of all folders, in the order of their names") {
  TempFolder folder;
  fs::create_directories(folder / "b/deep");
  folder.file("b.png", "1");
  folder.file("b/deep/2.txt", "22");
  folder.file("b/10.txt", "333");
  folder.file("a b", "");
  const auto files = read_result_folder(folder.path, {});
  REQUIRE(files.size() == 4);
  CHECK(names_in(folder) == std::vector<std::string>{"a b", "b.png", "b/10.txt", "b/deep/2.txt"});
  CHECK(files[1].data == "1");
  CHECK(files[1].content_type == "image/png");
  CHECK(files[3].data == "22");
  CHECK(files[3].data.data() == files[1].data.data() + 4);  // one piece of memory
}

TEST_CASE("only regular files count, and none that is hidden") {
  TempFolder folder, elsewhere;
  elsewhere.file("secret", "s");
  folder.file("a.png", "1");
  folder.file(".hidden", "h");
  fs::create_directories(folder / ".cache");
  folder.file(".cache/x", "h");
  fs::create_directories(folder / "empty");
  fs::create_symlink(elsewhere / "secret", folder / "link");
  fs::create_directory_symlink(elsewhere.path, folder / "links");
  fs::create_symlink("/dev/zero", folder / "device");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(names_in(folder) == std::vector<std::string>{"a.png"});
  fs::remove(folder / "a.png");
  CHECK(names_in(folder).empty());
  fs::remove_all(folder.path);
  CHECK(names_in(folder).empty());
  fs::create_directory_symlink(elsewhere.path, folder.path);
  CHECK_THROWS_AS(names_in(folder), WrongResult);
}

TEST_CASE("metadata stands beside its file") {
  TempFolder folder;
  folder.file("a.bin", "\x01\xff");
  folder.file(
      "a.bin.meta.json",
      R"({"seed": 18446744073709551615, "steps": 20, "cfg": 7.5, "hd": true, "content_type":)"
      R"( "image/x-own", "name": "../x", "bytes": 9, "loras": ["x", {"y": null}]})");
  folder.file("lonely.meta.json", "[1]");
  folder.file("a.bin.meta.json.meta.json", "text");  // describes what is no file of the result
  const auto files = read_result_folder(folder.path, "image/x-of-the-node");
  REQUIRE(files.size() == 3);
  CHECK(files[0].name == "a.bin");
  CHECK(files[0].content_type == "image/x-own");
  CHECK(files[0].metadata ==
        std::map<std::string, Param>{{"seed", std::uint64_t{18446744073709551615u}},
                                     {"steps", std::int64_t{20}},
                                     {"cfg", 7.5},
                                     {"hd", true},
                                     {"loras", std::string(R"(["x",{"y":null}])")}});
  CHECK(files[1].name == "a.bin.meta.json.meta.json");
  CHECK(files[2].name == "lonely.meta.json");
  CHECK(files[2].content_type == "application/json");
  for (const std::string& wrong : {std::string("[1]"), std::string("{"), std::string(),
                                   "{\"a\":" + std::string(20, '[') + std::string(20, ']') + "}",
                                   std::string("{\"a\": \"\xff\"}")}) {
    folder.file("a.bin.meta.json", wrong);
    CHECK_THROWS_AS(names_in(folder), WrongResult);
  }
  folder.file("a.bin.meta.json", "{\"a\": \"" + std::string(33'000, 'x') + "\"}");
  CHECK_THROWS_AS(names_in(folder), ResultTooLarge);
}

TEST_CASE("the type that the node is told is for files that tell none") {
  TempFolder folder;
  folder.file("a", "\x01\xff");
  folder.file("b", "text");
  const auto files = read_result_folder(folder.path, "image/x-own");
  CHECK(files[0].content_type == "image/x-own");
  CHECK(files[1].content_type == "text/plain");
  CHECK(read_result_folder(folder.path, {})[0].content_type == "application/octet-stream");
}

TEST_CASE("names that a bundle must not have are the command's fault") {
  const std::string names[] = {"a\nb", "a\\b", "a\xff"};
  for (const std::string& name : names) {
    TempFolder folder;
    folder.file(name, "1");
    CHECK_THROWS_AS(names_in(folder), WrongResult);
  }
  TempFolder deep;
  fs::create_directories(deep / "1/2/3/4/5/6/7");
  deep.file("1/2/3/4/5/6/7/8", "1");
  CHECK(names_in(deep).size() == 1);
  fs::create_directories(deep / "1/2/3/4/5/6/7/8.d");
  CHECK_THROWS_AS(names_in(deep), WrongResult);
  TempFolder loud;
  fs::create_directories(loud / std::string(200, 'd'));
  loud.file(std::string(200, 'd') + "/" + std::string(200, 'f'), "1");
  CHECK_THROWS_AS(names_in(loud), WrongResult);
}

TEST_CASE("too many files, or too many bytes, are not even read") {
  TempFolder folder;
  for (std::size_t i = 0; i < kMaxBundleFiles; ++i) folder.file(std::to_string(i), "");
  CHECK(names_in(folder).size() == kMaxBundleFiles);
  folder.file("one more", "");
  CHECK_THROWS_AS(names_in(folder), ResultTooLarge);
  for (std::size_t i = 0; i < 2 * kMaxBundleFiles; ++i) folder.file("x" + std::to_string(i), "");
  CHECK_THROWS_AS(names_in(folder), ResultTooLarge);

  TempFolder large;
  for (const char* name : {"a", "b"}) {
    large.file(name, "");
    REQUIRE(truncate((large / name).c_str(), kMaxResultBytes / 2) == 0);
  }
  CHECK(read_result_folder(large.path, {})[1].data.size() == kMaxResultBytes / 2);
  large.file("c", "x");
  CHECK_THROWS_AS(names_in(large), ResultTooLarge);
  REQUIRE(truncate((large / "a").c_str(), off_t{1} << 40) == 0);  // of holes
  CHECK_THROWS_AS(names_in(large), ResultTooLarge);
}

}  // namespace
}  // namespace genai::node
