// The list of the files of a result, and where each of them is in the data.
#include "protocol/base/bundle.h"

#include <catch2/catch.hpp>

using namespace genai;

namespace {

ValueMap entry(const std::string& name, std::uint64_t bytes) {
  return {{"name", name}, {"bytes", bytes}};
}
ValueMap info_of(ValueList entries) { return {{"files", std::move(entries)}}; }

/// What is wrong with a bundle of these names, or "".
std::string problem_of(const std::vector<std::string>& names) {
  ValueList list;
  for (const std::string& name : names) list.emplace_back(entry(name, 1));
  const auto files = read_files(info_of(list), names.size());
  return files ? "" : files.error().detail;
}

}  // namespace

TEST_CASE("the list cuts the data into its files") {
  const std::string data = "picturemasktext";
  const ValueMap info = info_of({ValueMap{{"name", "a.png"},
                                          {"bytes", 7},
                                          {"content_type", "image/png"},
                                          {"seed", 42},
                                          {"loras", ValueList{"x"}}},
                                 entry("masks/1.png", 4), entry("empty", 0), entry("ä.txt", 4)});
  const auto files = read_files(info, data.size());
  REQUIRE(files);
  REQUIRE(files->size() == 4);
  CHECK(files->at(0).content_type == "image/png");
  CHECK(files->at(0).metadata == ValueMap{{"seed", 42}, {"loras", ValueList{"x"}}});
  CHECK(slice(data, files->at(0)) == "picture");
  CHECK(slice(data, *find_file(*files, "masks/1.png")) == "mask");
  CHECK(slice(data, *find_file(*files, "empty")).empty());
  CHECK(slice(data, files->at(3)) == "text");
  CHECK(files->at(3).begin == 11);
  CHECK(find_file(*files, "A.png") == nullptr);
  CHECK(files_value(*files) == info.at("files"));
}

TEST_CASE("a result without a list has no files") {
  CHECK(read_files({{"content_type", "image/png"}}, 7)->empty());
}

TEST_CASE("a list that does not describe the data is none") {
  CHECK(read_files(info_of({entry("a", 3), entry("b", 4)}), 7));
  CHECK_FALSE(read_files(info_of({entry("a", 3), entry("b", 3)}), 7));
  CHECK_FALSE(read_files(info_of({entry("a", 3), entry("b", 5)}), 7));
  CHECK_FALSE(read_files(info_of({entry("a", 8)}), 7));
  // Their sum would be 7 again.
  CHECK_FALSE(read_files(info_of({entry("a", UINT64_MAX), entry("b", 8)}), 7));
  CHECK_FALSE(
      read_files(info_of({entry("a", INT64_MAX), entry("b", INT64_MAX), entry("c", 9)}), 7));
  CHECK_FALSE(read_files(info_of({entry("a", 7)}), 0));  // of a result that is gone
}

TEST_CASE("a list of another shape is none") {
  CHECK_FALSE(read_files({{"files", "a.png"}}, 1));
  CHECK_FALSE(read_files(info_of({}), 0));
  CHECK_FALSE(read_files(info_of({"a.png"}), 1));
  CHECK_FALSE(read_files(info_of({ValueMap{{"name", "a"}}}), 1));
  CHECK_FALSE(read_files(info_of({ValueMap{{"bytes", 1}}}), 1));
  CHECK_FALSE(read_files(info_of({ValueMap{{"name", Bytes{"a"}}, {"bytes", 1}}}), 1));
  CHECK_FALSE(read_files(info_of({ValueMap{{"name", "a"}, {"bytes", -1}}}), 1));
  CHECK_FALSE(read_files(info_of({ValueMap{{"name", "a"}, {"bytes", 1.0}}}), 1));
  ValueMap typed = entry("a", 1);
  typed["content_type"] = 7;
  CHECK_FALSE(read_files(info_of({typed}), 1));
  typed["content_type"] = std::string(128, 't');
  CHECK(read_files(info_of({typed}), 1));
  typed["content_type"] = std::string(129, 't');
  CHECK_FALSE(read_files(info_of({typed}), 1));
  typed["content_type"] = "image/png\r\nX: y";
  CHECK_FALSE(read_files(info_of({typed}), 1));
}

TEST_CASE("limit: files of a bundle") {
  ValueList list;
  for (std::size_t i = 0; i < kMaxBundleFiles; ++i) list.emplace_back(entry(std::to_string(i), 1));
  CHECK(read_files(info_of(list), kMaxBundleFiles)->size() == kMaxBundleFiles);
  list.emplace_back(entry("one more", 1));
  CHECK_FALSE(read_files(info_of(list), kMaxBundleFiles + 1));
  list.resize(10'000, Value(entry("x", 0)));
  CHECK_FALSE(read_files(info_of(list), kMaxBundleFiles + 1));
}

TEST_CASE("limit: bytes and parts of a file's name") {
  CHECK_FALSE(file_name_problem(std::string(kMaxBundleNameBytes, 'n')));
  CHECK(file_name_problem(std::string(kMaxBundleNameBytes + 1, 'n')));
  CHECK(file_name_problem(std::string(300, 'n')) == "has more than 255 bytes");
  CHECK_FALSE(file_name_problem("1/2/3/4/5/6/7/8"));
  CHECK(file_name_problem("1/2/3/4/5/6/7/8/9") == "has more than 8 parts");
}

TEST_CASE("a name leads nowhere else") {
  for (const char* good : {"a", "a.png", "a b/c (1).png", "..a", "a..", "...", "ä/日本.png", "-rf",
                           "a:b", ".hidden", "~", "CON"})
    CHECK_FALSE(file_name_problem(good));
  for (const char* bad : {"", "/", "/etc/passwd", "..", ".", "../x", "a/../../x", "a/..", "./a",
                          "a//b", "a/", "a\\b", "a\nb", "a\x7f", "a\xc2\x85"})
    CHECK(file_name_problem(bad));
  CHECK(file_name_problem(std::string("a\0b", 3)) == "has a control character");
  CHECK(file_name_problem("a\xff.png") == "is not UTF-8");
  CHECK(file_name_problem("a\xed\xa0\x80") == "is not UTF-8");  // a surrogate
}

TEST_CASE("the names of a bundle differ on every disk") {
  CHECK(problem_of({"a.png", "b.png", "a/b.png", "a/c.png"}).empty());
  CHECK(problem_of({"a.png", "a.png"}) == "file 'a.png': a second one of this name");
  CHECK(problem_of({"A.png", "a.PNG"}) == "file 'a.PNG': a second one of this name");
  CHECK(problem_of({"a", "A/b"}) == "file 'A/b': its folder is also a file");
  CHECK(problem_of({"a/b/c", "a/b"}) == "file 'a/b': the name is also a folder");
  CHECK(problem_of({"ok", "../x"}) == "file '../x': its name has a part '.' or '..'");
}
