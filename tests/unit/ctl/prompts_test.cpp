#include "tools/ctl/prompts.h"

#include <catch2/catch.hpp>
#include <sstream>

using namespace genai::ctl;
using genai::client::Param;
using genai::client::TaskRequest;

namespace {

std::string error_of(const std::string& jsonl) {
  std::istringstream in(jsonl);
  try {
    read_jsonl(in, "tasks.jsonl", {});
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("lines: blanks and comments are skipped, numbers are the file's") {
  std::istringstream in("# prompts\n\na red sphere\r\n   \na blue cube\n");
  const auto prompts = read_lines(in, {}, true).prompts;
  REQUIRE(prompts.size() == 2);
  CHECK(prompts[0].line == 3);
  CHECK(prompts[0].request.payload == "a red sphere");
  CHECK(prompts[0].request.label == "a red sphere");
  CHECK(prompts[1].line == 5);
}

TEST_CASE("jsonl: keys fill the request over the defaults") {
  TaskRequest defaults;
  defaults.model = "sdxl";
  defaults.params["steps"] = std::int64_t{20};
  std::istringstream in(
      R"({"prompt":"p","id":"x-1","vram_mib":8000,"ttl_s":60,"params":{"seed":7,"cfg":7.5,"hd":true}})"
      "\n"
      R"({"payload_base64":"AAEC/w==","model":"flux","label":"bytes"})");
  const auto prompts = read_jsonl(in, "f", defaults).prompts;
  REQUIRE(prompts.size() == 2);
  const TaskRequest& first = prompts[0].request;
  CHECK(first.id == "x-1");
  CHECK(first.model == "sdxl");
  CHECK(first.vram_mib == 8000);
  CHECK(first.ttl_ms == 60'000);
  CHECK(first.label == "p");
  CHECK(first.params.at("seed") == Param(std::int64_t{7}));
  CHECK(first.params.at("cfg") == Param(7.5));
  CHECK(first.params.at("hd") == Param(true));
  CHECK(first.params.at("steps") == Param(std::int64_t{20}));
  CHECK(prompts[1].request.payload == std::string("\0\1\2\xff", 4));
  CHECK(prompts[1].request.model == "flux");
}

TEST_CASE("jsonl: errors name file, line and key") {
  CHECK(error_of("{\"prompt\":\"a\"}\n{broken") == "tasks.jsonl:2: not JSON at byte 2");
  CHECK(error_of("[1]") == "tasks.jsonl:1: expected an object");
  CHECK(error_of("{}") == "tasks.jsonl:1: give either prompt or payload_base64");
  CHECK(error_of(R"({"prompt":"a","promt":"b"})") == "tasks.jsonl:1: key 'promt': no such key");
  CHECK(error_of(R"({"prompt":5})") == "tasks.jsonl:1: key 'prompt': wrong type number");
  CHECK(error_of(R"({"payload_base64":"%%%"})") ==
        "tasks.jsonl:1: key 'payload_base64': not base64");
  CHECK(error_of(R"({"prompt":"a","params":{"x":[1]}})") ==
        "tasks.jsonl:1: key 'params': only texts, numbers and booleans");
}

TEST_CASE("params are typed by how they look") {
  CHECK(parse_param("seed=7").second == Param(std::int64_t{7}));
  CHECK(parse_param("cfg=7.5").second == Param(7.5));
  CHECK(parse_param("hd=false").second == Param(false));
  CHECK(parse_param("style=7 oils").second == Param(std::string("7 oils")));
  CHECK(parse_param("x=nan").second == Param(std::string("nan")));
  CHECK(parse_param("eq=a=b").second == Param(std::string("a=b")));
  CHECK_THROWS_AS(parse_param("novalue"), InputError);
  CHECK_THROWS_AS(parse_param("=x"), InputError);
}

TEST_CASE("base64 is strict") {
  CHECK(base64_decode("") == "");
  CHECK(base64_decode("cGljdHVyZQ==") == "picture");
  CHECK_THROWS_AS(base64_decode("cGljdHVyZQ"), InputError);
  CHECK_THROWS_AS(base64_decode("cGlj dHVy"), InputError);
}
