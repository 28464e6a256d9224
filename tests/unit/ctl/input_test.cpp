// What users name as input is read whole, or refused with the reason.
#include "tools/ctl/input.h"

#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <sstream>

#include "tests/unit/temp_folder.h"

using namespace genai::ctl;
using genai::test::TempFolder;

namespace {

template <class Call>
std::string input_error(Call call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a file is read whole, up to the limit") {
  const TempFolder folder;
  const std::string text(200'000, 'x');
  const std::string path = folder.file("prompt", text);
  CHECK(Input(path, text.size()).all() == text);
  CHECK(input_error([&] { Input(path, text.size() - 1).all(); }) ==
        path + ": more than 199999 bytes");
}

TEST_CASE("what has no end is refused at the limit, before it fills the memory") {
  CHECK(input_error([] { Input("/dev/zero", 16u << 20).all(); }) == "/dev/zero: more than 16 MiB");
  Input zeros("/dev/zero", std::size_t{1} << 30);
  std::string line;
  CHECK(input_error([&] { next_line(zeros.stream(), line, 1u << 20); }) ==
        "a line of more than 1 MiB");
}

TEST_CASE("a folder, a missing file and a read error are told, and are no empty file") {
  const TempFolder folder;
  CHECK(input_error([&] { Input(folder.path, 100); }) == folder.path + ": Is a directory");
  CHECK(input_error([&] { Input(folder / "none", 100); }) ==
        (folder / "none") + ": No such file or directory");
  // Memory that is not there: the only file whose reading fails for everybody.
  CHECK(input_error([] { Input("/proc/self/mem", 100).all(); }) ==
        "/proc/self/mem: Input/output error");
  Input memory("/proc/self/mem", 100);
  std::string line;
  CHECK(input_error([&] { next_line(memory.stream(), line, 100); }) ==
        "/proc/self/mem: Input/output error");
}

TEST_CASE("a last line without an end is a line, an empty rest is none") {
  std::istringstream in("one\r\n\ntwo");
  std::string line;
  std::vector<std::string> lines;
  while (next_line(in, line, 100)) lines.push_back(line);
  CHECK(lines == std::vector<std::string>{"one", "", "two"});
}

TEST_CASE("sizes are told in the unit that fits") {
  CHECK(size_text(16u << 20) == "16 MiB");
  CHECK(size_text(std::size_t{1} << 30) == "1 GiB");
  CHECK(size_text(1000) == "1000 bytes");
}
