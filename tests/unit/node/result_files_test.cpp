// A handler's bundle as a RESULT carries it.
#include "tools/node/result_files.h"

#include <catch2/catch.hpp>
#include <limits>

#include "protocol/base/bundle.h"
#include "tests/unit/node/session.h"

namespace genai::node {
namespace {

using test::ref_of;
using test::Session;
using Kind = TaskResult::Kind;

ResultFile file(std::string name, std::string data, std::map<std::string, Param> metadata = {}) {
  return {std::move(name), {}, Data(std::move(data)), std::move(metadata)};
}

msg::Result::Entry sent_for(TaskResult result) {
  Session s;
  s.join();
  s.assign(ref_of("t1"));
  s.next<msg::AssignAck>();
  s.finish(ref_of("t1"), std::move(result));
  return s.next_entry<msg::Result>();
}

std::vector<ResultFile> many(std::size_t count) {
  std::vector<ResultFile> files;
  for (std::size_t i = 0; i < count; ++i) files.push_back(file(std::to_string(i), "x"));
  return files;
}

TEST_CASE("a bundle is its bytes and the list of its files") {
  const auto entry = sent_for(TaskResult::bundle(
      {file("a.png", "picture", {{"seed", std::int64_t{7}}, {"model", std::string("sdxl")}}),
       file("empty", ""), file("masks/1.json", "{}")}));
  CHECK(entry.outcome == msg::Outcome::kOk);
  CHECK(entry.data.view() == "picture{}");
  CHECK(!entry.info.contains("content_type"));
  const auto files = read_files(entry.info, entry.data.size());
  REQUIRE(files);
  REQUIRE(files->size() == 3);
  CHECK(files->at(0).content_type == "image/png");
  CHECK(files->at(0).metadata == ValueMap{{"seed", 7}, {"model", "sdxl"}});
  CHECK(files->at(1).content_type == "text/plain");
  CHECK(slice(entry.data.view(), files->at(2)) == "{}");
}

TEST_CASE("a bundle of one file is read as that file by whoever knows no files") {
  const auto entry = sent_for(TaskResult::bundle({file("a.png", "picture")}));
  CHECK(entry.data.view() == "picture");
  CHECK(get_string(entry.info, "content_type") == "image/png");
  CHECK(read_files(entry.info, 7)->at(0).name == "a.png");
}

TEST_CASE("a result that is no bundle lists no files") {
  const auto entry = sent_for(TaskResult::ok("picture", "image/png"));
  CHECK(!entry.info.contains("files"));
  CHECK(get_string(entry.info, "content_type") == "image/png");
}

TEST_CASE("files become one piece of memory once") {
  std::vector<ResultFile> files{file("a", "one"), file("b", ""), file("c", "two")};
  const Blob whole = join(files);
  CHECK(whole.view() == "onetwo");
  CHECK(files[2].data.data() == whole.view().data() + 3);
  CHECK(join(files).view().data() == whole.view().data());
  std::swap(files[0], files[2]);
  CHECK(join(files).view() == "twoone");
  std::vector<ResultFile> empty{file("a", ""), file("b", "")};
  CHECK(join(empty).empty());
}

TEST_CASE("files that break a rule are an error that names it") {
  const auto error_of = [](std::vector<ResultFile> files) {
    const auto entry = sent_for(TaskResult::bundle(std::move(files)));
    CHECK(entry.outcome == msg::Outcome::kError);
    CHECK(!entry.info.contains("code"));
    return get_string(entry.info, "error");
  };
  CHECK(error_of({file("../x", "1")}) == "file '../x': its name has a part '.' or '..'");
  CHECK(error_of({file("", "1")}) == "file '': its name is empty");
  CHECK(error_of({file("a", "1"), file("A", "2")}) == "file 'A': a second one of this name");
  // What a receiver could not decode would be sent again for ever.
  CHECK(error_of({file("a", "1", {{"k", std::string("\xff")}})}) ==
        "file 'a': its metadata 'k' is not UTF-8");
  CHECK(error_of({file("a", "1", {{"k", std::numeric_limits<double>::infinity()}})}) ==
        "file 'a': its metadata 'k' is not a finite number");
  CHECK(error_of({file("a", "1", {{std::string(129, 'k'), true}})}).starts_with("file 'a': its"));
  std::map<std::string, Param> much;
  for (int i = 0; i < 254; ++i) much.emplace(std::to_string(i), true);
  CHECK(error_of({file("a", "1", much)}) == "file 'a': it has too much metadata");
}

TEST_CASE("a bundle over a limit ends the task: no attempt would be smaller") {
  const auto code_of = [](TaskResult result) {
    return get_uint(sent_for(std::move(result)).info, "code");
  };
  CHECK(code_of(TaskResult::bundle(many(kMaxBundleFiles))) == 0);
  CHECK(code_of(TaskResult::bundle(many(kMaxBundleFiles + 1))) == 505);
  const std::string half(kMaxResultBytes / 2, 'x');
  CHECK(code_of(TaskResult::bundle({file("a", half), file("b", half)})) == 0);
  CHECK(code_of(TaskResult::bundle({file("a", half), file("b", half), file("c", "x")})) == 505);
  const std::string note(31'600, 'n');
  CHECK(code_of(TaskResult::bundle({file("a", "x", {{"note", note}})})) == 0);
  CHECK(code_of(TaskResult::bundle({file("a", "x", {{"note", note + std::string(100, 'n')}})})) ==
        505);
}

}  // namespace
}  // namespace genai::node
