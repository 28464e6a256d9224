// What users type and pipe becomes task requests, or an error that says where it is wrong.
#include "tools/ctl/prompts.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace genai;
using namespace genai::ctl;
using genai::client::Param;

namespace {

std::vector<Prompt> jsonl(const std::string& text, const client::TaskRequest& defaults = {}) {
  std::istringstream in(text);
  return read_jsonl(in, "tasks", defaults).prompts;
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

TEST_CASE("a line that begins with # is a prompt like any other") {
  std::istringstream in("#1 in the series\n\nfirst\r\n  \n second\r, it goes on");
  const auto list = read_lines(in, {});
  REQUIRE(list.prompts.size() == 3);
  CHECK(list.prompts[0].request.payload == "#1 in the series");
  CHECK(list.prompts[1].line == 3);
  CHECK(list.prompts[1].request.payload == "first");
  CHECK(list.prompts[1].request.label == "first");
  CHECK(list.prompts[2].line == 5);
  CHECK(list.prompts[2].request.payload == " second\r, it goes on");
  CHECK(list.skipped() == "2 blank lines are no tasks");
}

TEST_CASE("comments are skipped where the user says that there are some, and are counted") {
  std::istringstream in("# head\n\nfirst # not a comment\r\n#\n");
  const auto list = read_lines(in, {}, true);
  REQUIRE(list.prompts.size() == 1);
  CHECK(list.prompts[0].line == 3);
  CHECK(list.prompts[0].request.payload == "first # not a comment");
  CHECK(list.skipped() == "1 blank line and 2 comments are no tasks");
  std::istringstream one("#\nx\n"), none("x");
  CHECK(read_lines(one, {}, true).skipped() == "1 comment is no task");
  CHECK(read_lines(none, {}, true).skipped().empty());
}

TEST_CASE("a zero byte in a line stays in its prompt, and is not in its label") {
  std::istringstream in(std::string("a\0b\n", 4));
  const auto list = read_lines(in, {});
  REQUIRE(list.prompts.size() == 1);
  CHECK(list.prompts[0].request.payload == std::string("a\0b", 3));
  CHECK(list.prompts[0].request.label == "a");
}

TEST_CASE("a long or invalid line keeps its bytes and gets a label that can be sent") {
  std::istringstream in(std::string(500, 'x') + "\n\xff\n");
  const auto prompts = read_lines(in, {}).prompts;
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
      R"({"payload_base64":"AAEC/w==","model":"flux","label":"two","max_attempts":3,"vram_mib":8000})",
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
  CHECK(two.payload == std::string("\0\1\2\xff", 4));
  CHECK(two.model == "flux");
  CHECK(two.label == "two");
  CHECK(two.max_attempts == 3);
  CHECK(two.vram_mib == 8000);
}

TEST_CASE("each key of a JSON line reaches its member of the request") {
  const auto one = [](const std::string& member) {
    return jsonl(R"({"prompt":"p",)" + member + "}").at(0).request;
  };
  CHECK(one(R"("gpu_type":"rtx4090")").gpu_type == "rtx4090");
  CHECK(one(R"("tenant":"alice")").tenant == "alice");
  CHECK(one(R"("ncpu":4)").ncpu == 4);
  CHECK(one(R"("ram_mib":4294967295)").ram_mib == 4294967295);
  CHECK(one(R"("time_limit_s":2592000)").time_limit_ms == 2'592'000'000);
  CHECK(one(R"("ttl_s":0)").ttl_ms == 0);
  CHECK(one(R"("priority":0)").priority == std::uint8_t{0});
  CHECK(one(R"("start_in_ms":1)").start_in_ms == 1);
  CHECK(one(R"("deadline_in_s":2)").deadline_in_ms == 2'000);
  CHECK(one(R"("not_before_ms":253402300799999)").not_before_ms == 253'402'300'799'999);
  CHECK(one(R"("deadline_ms":1800000000000)").deadline_ms == 1'800'000'000'000);
  CHECK(one(R"("max_cost":2)").max_cost == 2.0);
  CHECK(one(R"("time_to_money_ratio":0.0)").time_to_money_ratio == 0.0);
  CHECK(one(R"("work":1.5)").work == 1.5);
}

TEST_CASE("a key has the units that it always had") {
  const auto problem = [](const std::string& member) {
    return input_error([&] { jsonl(R"({"prompt":"p",)" + member + "}"); });
  };
  for (const std::string key : {"ttl_ms", "time_limit_ms", "not_before_s", "deadline_s", "ncpu_s"})
    CHECK(problem('"' + key + "\":1") == "tasks:1: key '" + key + "': no such key");
  CHECK(problem(R"("deadline_in_ms":1000,"deadline_in_s":1)") ==
        "tasks:1: give either deadline_in_s or deadline_in_ms");
  CHECK(problem(R"("priority":10)") ==
        "tasks:1: key 'priority': expected a whole number from 0 to 9");
  CHECK(problem(R"("start_in_s":2592001)") ==
        "tasks:1: key 'start_in_s': expected a whole number from 0 to 2592000");
  CHECK(problem(R"("start_in_ms":2592000001)") ==
        "tasks:1: key 'start_in_ms': expected a whole number from 0 to 2592000000");
  CHECK(problem(R"("deadline_ms":253402300800000)") ==
        "tasks:1: key 'deadline_ms': expected a whole number from 0 to 253402300799999");
  CHECK(problem(R"("model":null)") == "tasks:1: key 'model': wrong type null");
  CHECK(problem(R"("work":"1")") == "tasks:1: key 'work': wrong type string");
  CHECK(problem(R"("params":[])") == "tasks:1: key 'params': expected an object");
}

TEST_CASE("errors in JSON lines name the line and the key") {
  const auto problem = [](const std::string& line) {
    return input_error([&] { jsonl("{\"prompt\":\"fine\"}\n" + line); });
  };
  CHECK(problem("{\"prompt\":") == "tasks:2: not JSON at byte 11");
  CHECK(problem("{broken") == "tasks:2: not JSON at byte 2");
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
  CHECK(problem(R"({"prompt":"a","params":[1,2]})") == "tasks:2: key 'params': expected an object");
}

TEST_CASE("of two values of one key none is dropped in silence") {
  const auto problem = [](const std::string& line) { return input_error([&] { jsonl(line); }); };
  CHECK(problem(R"({"prompt":"a","prompt":"b"})") == "tasks:1: key 'prompt': given twice");
  CHECK(problem(R"({"prompt":"a","params":{"x":1,"x":2}})") == "tasks:1: key 'x': given twice");
  CHECK(problem(R"({"prompt":"a","start_in_s":1,"start_in_ms":1000})") ==
        "tasks:1: give either start_in_s or start_in_ms");
  CHECK(problem(R"({"prompt":"a","label":"a","params":{"label":"b"}})") == "no error");
  SubmitOptions options;
  options.prompt = "a";
  options.params = {"seed=1", "seed=1"};
  CHECK(input_error([&] { read_prompts(options); }) == "--param seed: given twice");
  options.params = {"a-b=1", "a_b=2"};
  CHECK(input_error([&] { read_prompts(options); }) ==
        "params 'a-b' and 'a_b' are one to a command: GENAI_PARAM_A_B");
}

TEST_CASE("what no command can be given is refused, not dropped on the way to it") {
  SubmitOptions options;
  const auto problem = [&](const std::string& text) {
    const File file(text);
    options.jsonl = file.path;
    const std::string what = input_error([&] { read_prompts(options); });
    return what.substr(what.find(": ") + 2);
  };
  CHECK(problem(R"({"prompt":"a","params":{"x":"b\u0000c"}})") == "param 'x': holds a zero byte");
  CHECK(problem(R"({"prompt":"a","label":"b\u0000c"})") == "label: holds a zero byte");
}

TEST_CASE("a start and a deadline travel as times from the acceptance on") {
  SubmitOptions options;
  options.prompt = "a";
  options.task.start_in_ms = 5'000;
  options.task.deadline_in_ms = 60'000;
  const auto request = read_prompts(options).prompts.at(0).request;
  CHECK(request.start_in_ms == 5'000);
  CHECK(request.deadline_in_ms == 60'000);
  CHECK(request.not_before_ms == 0);
  CHECK(request.deadline_ms == 0);
  const auto prompts = jsonl(R"({"prompt":"a","start_in_s":5,"deadline_in_ms":1500})");
  CHECK(prompts[0].request.start_in_ms == 5'000);
  CHECK(prompts[0].request.deadline_in_ms == 1'500);
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
  CHECK(problem(R"("params":{"seed":18446744073709551616})") ==
        "tasks:1: key 'params': a whole number of more than 64 bits: give it as a text");
}

TEST_CASE("params from the command line have the type they look like") {
  CHECK(parse_param("seed=-7") == std::pair{std::string("seed"), Param(std::int64_t{-7})});
  CHECK(parse_param("hd=true").second == Param(true));
  CHECK(parse_param("hd=false").second == Param(false));
  CHECK(parse_param("style=7 oils").second == Param(std::string("7 oils")));
  CHECK(parse_param("cfg=7.5").second == Param(7.5));
  CHECK(parse_param("style=a=b").second == Param(std::string("a=b")));
  CHECK(parse_param("x=").second == Param(std::string()));
  CHECK(parse_param("x=nan").second == Param(std::string("nan")));
  CHECK(parse_param("seed=18446744073709551615").second ==
        Param(std::string("18446744073709551615")));
  CHECK(parse_param("zip=00123").second == Param(std::string("00123")));
  CHECK(parse_param("x=-0").second == Param(std::string("-0")));
  CHECK(parse_param("x=0.1234567890123456789").second ==
        Param(std::string("0.1234567890123456789")));
  CHECK(parse_param("x=0.0000012345").second == Param(0.0000012345));
  CHECK_THROWS_AS(parse_param("seed"), InputError);
  CHECK_THROWS_AS(parse_param("=7"), InputError);
}

TEST_CASE("base64 is decoded strictly") {
  CHECK(base64_decode("").empty());
  CHECK(base64_decode("aGk=") == "hi");
  CHECK(base64_decode("cGljdHVyZQ==") == "picture");
  for (const char* bad : {"aGk", "aGk==", "aG k=", "a_-=", "cGljdHVyZQ"})
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
  options.task.id = "t-1";
  options.task.ttl_ms = 5'000;
  options.params = {"seed=2"};
  const auto prompts = read_prompts(options).prompts;
  REQUIRE(prompts.size() == 1);
  CHECK(prompts[0].request.id == "t-1");
  CHECK(prompts[0].request.payload == options.prompt);
  CHECK(prompts[0].request.label == "a lighthouse");
  CHECK(prompts[0].request.ttl_ms == 5000);
  CHECK(prompts[0].request.params.at("seed") == Param(std::int64_t{2}));
  options.prompt.clear();
  options.file = "/nonexistent/prompt";
  CHECK(input_error([&] { read_prompts(options); }) ==
        "/nonexistent/prompt: No such file or directory");
}
