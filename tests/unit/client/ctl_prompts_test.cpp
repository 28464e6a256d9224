// What users type and pipe becomes task requests, or an error that says where it is wrong.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tools/ctl/prompts.h"

using namespace genai;
using namespace genai::ctl;
using genai::client::Param;

namespace {

std::vector<Prompt> jsonl(const std::string& text, const client::TaskRequest& defaults = {}) {
  std::istringstream in(text);
  return read_jsonl(in, "tasks", defaults);
}

template <class Call>
std::string input_error(Call call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// A file with `text` for the time of a test.
struct File {
  explicit File(const std::string& text)
      : path(std::filesystem::temp_directory_path() /
             ("genai-prompts-test-" + std::to_string(getpid()))) {
    std::ofstream(path) << text;
  }
  ~File() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("a task a line, with blank lines and comments left out but counted") {
  std::istringstream in("# head\n\nfirst\r\n  \nsecond # not a comment\n");
  const auto prompts = read_lines(in, {});
  REQUIRE(prompts.size() == 2);
  CHECK(prompts[0].line == 3);
  CHECK(prompts[0].request.payload == "first");
  CHECK(prompts[0].request.label == "first");
  CHECK(prompts[1].line == 5);
  CHECK(prompts[1].request.payload == "second # not a comment");
}

TEST_CASE("a long or invalid line keeps its bytes and gets a label that can be sent") {
  std::istringstream in(std::string(500, 'x') + "\n\xff\n");
  const auto prompts = read_lines(in, {});
  REQUIRE(prompts.size() == 2);
  CHECK(prompts[0].request.payload.size() == 500);
  CHECK(prompts[0].request.label.size() <= 128);
  CHECK(prompts[1].request.payload == "\xff");
  for (const Prompt& prompt : prompts) CHECK_NOTHROW(client::Client::check(prompt.request));
}

TEST_CASE("an object a line, with defaults for what it does not say") {
  client::TaskRequest defaults;
  defaults.model = "sdxl";
  defaults.params = {{"steps", std::int64_t{20}}};
  const auto prompts = jsonl(
      R"({"prompt":"p","id":"a","params":{"seed":7,"hd":true,"cfg":7.5,"style":"oil"},"ttl_s":60})"
      "\n\n"
      R"({"payload_base64":"AP8=","model":"flux","label":"two","max_attempts":3,"vram_mib":8000})",
      defaults);
  REQUIRE(prompts.size() == 2);
  const client::TaskRequest& one = prompts[0].request;
  CHECK(prompts[0].line == 1);
  CHECK(one.payload == "p");
  CHECK(one.label == "p");
  CHECK(one.id == "a");
  CHECK(one.model == "sdxl");
  CHECK(one.ttl_ms == 60'000);
  CHECK(one.params.at("steps") == Param(std::int64_t{20}));
  CHECK(one.params.at("seed") == Param(std::int64_t{7}));
  CHECK(one.params.at("hd") == Param(true));
  CHECK(one.params.at("cfg") == Param(7.5));
  CHECK(one.params.at("style") == Param(std::string("oil")));
  const client::TaskRequest& two = prompts[1].request;
  CHECK(prompts[1].line == 3);
  CHECK(two.payload == std::string("\0\xff", 2));
  CHECK(two.model == "flux");
  CHECK(two.label == "two");
  CHECK(two.max_attempts == 3);
  CHECK(two.vram_mib == 8000);
}

TEST_CASE("errors in JSON lines name the line and the key") {
  const auto problem = [](const std::string& line) {
    return input_error([&] { jsonl("{\"prompt\":\"fine\"}\n" + line); });
  };
  CHECK(problem("{\"prompt\":") == "tasks:2: not JSON at byte 11");
  CHECK(problem("[1]") == "tasks:2: expected an object");
  CHECK(problem("{}") == "tasks:2: give either prompt or payload_base64");
  CHECK(problem(R"({"prompt":"a","payload_base64":""})") ==
        "tasks:2: give either prompt or payload_base64");
  CHECK(problem(R"({"prompt":1})") == "tasks:2: key 'prompt': wrong type number");
  CHECK(problem(R"({"prompt":"a","promt":"b"})") == "tasks:2: key 'promt': no such key");
  CHECK(problem(R"({"payload_base64":"%%"})") == "tasks:2: key 'payload_base64': not base64");
  CHECK(problem(R"({"prompt":"a","params":{"x":[1]}})") ==
        "tasks:2: key 'params': only texts, numbers and booleans");
  CHECK(problem(R"({"prompt":"a","params":{"x":1e999}})") == "tasks:2: a number is too large");
}

TEST_CASE("numbers are neither wrapped nor rounded into something else") {
  const auto problem = [](const std::string& member) {
    return input_error([&] { jsonl(R"({"prompt":"p",)" + member + "}"); });
  };
  const std::string count = "expected a whole number from 0 to 4294967295";
  CHECK(problem(R"("ncpu":-1)") == "tasks:1: key 'ncpu': " + count);
  CHECK(problem(R"("ram_mib":1.5)") == "tasks:1: key 'ram_mib': " + count);
  CHECK(problem(R"("vram_mib":"8")") == "tasks:1: key 'vram_mib': " + count);
  CHECK(problem(R"("max_attempts":4294967297)") ==
        "tasks:1: key 'max_attempts': expected a whole number from 0 to 1000");
  CHECK(problem(R"("ttl_s":18446744073709551615)") ==
        "tasks:1: key 'ttl_s': expected a whole number from 0 to 2592000");
  const auto seed = jsonl(R"({"prompt":"p","params":{"seed":18446744073709551615}})");
  CHECK(seed[0].request.params.at("seed") == Param(std::string("18446744073709551615")));
}

TEST_CASE("params from the command line have the type they look like") {
  CHECK(parse_param("seed=-7") == std::pair{std::string("seed"), Param(std::int64_t{-7})});
  CHECK(parse_param("hd=true").second == Param(true));
  CHECK(parse_param("cfg=7.5").second == Param(7.5));
  CHECK(parse_param("style=a=b").second == Param(std::string("a=b")));
  CHECK(parse_param("x=").second == Param(std::string()));
  CHECK(parse_param("x=nan").second == Param(std::string("nan")));
  CHECK(parse_param("seed=18446744073709551615").second ==
        Param(std::string("18446744073709551615")));
  CHECK_THROWS_AS(parse_param("seed"), InputError);
  CHECK_THROWS_AS(parse_param("=7"), InputError);
}

TEST_CASE("base64 is decoded strictly") {
  CHECK(base64_decode("").empty());
  CHECK(base64_decode("aGk=") == "hi");
  for (const char* bad : {"aGk", "aGk==", "aG k=", "a_-="})
    CHECK_THROWS_AS(base64_decode(bad), InputError);
}

TEST_CASE("what could not be sent is refused with its line before anything is sent") {
  SubmitOptions options;
  const auto problem = [&](const std::string& text) {
    const File file(text);
    options.jsonl = file.path;
    std::string what = input_error([&] { read_prompts(options); });
    const std::string path = file.path.string();
    return what.starts_with(path) ? what.substr(path.size()) : what;
  };
  CHECK(problem("{\"prompt\":\"a\",\"id\":\"x\"}\n{\"prompt\":\"b\",\"id\":\"y\"}\n") ==
        "no error");
  CHECK(problem("{\"prompt\":\"a\",\"id\":\"x\"}\n\n{\"prompt\":\"b\",\"id\":\"x\"}\n") ==
        ":3: id 'x' is the one of line 1");
  CHECK(
      problem("{\"prompt\":\"a\"}\n{\"prompt\":\"b\",\"id\":\"a b\"}\n").starts_with(":2: 'a b'"));
  CHECK(problem("{\"prompt\":\"a\",\"model\":\"" + std::string(129, 'm') + "\"}\n") ==
        ":1: spec: key 'model': expected a text of at most 128 bytes");
  CHECK(problem("\n") == "there is no prompt in the input");
}

TEST_CASE("one prompt takes its options along") {
  SubmitOptions options;
  options.prompt = "a lighthouse\nat dusk";
  options.id = "t-1";
  options.ttl_s = 5;
  options.params = {"seed=1", "seed=2"};
  const auto prompts = read_prompts(options);
  REQUIRE(prompts.size() == 1);
  CHECK(prompts[0].request.id == "t-1");
  CHECK(prompts[0].request.payload == options.prompt);
  CHECK(prompts[0].request.label == "a lighthouse");
  CHECK(prompts[0].request.ttl_ms == 5000);
  CHECK(prompts[0].request.params.at("seed") == Param(std::int64_t{2}));
  options.prompt.clear();
  options.file = "/nonexistent/prompt";
  CHECK(input_error([&] { read_prompts(options); }) == "/nonexistent/prompt: cannot be read");
}
