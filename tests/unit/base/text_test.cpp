#include "protocol/text.h"

#include <catch2/catch.hpp>

#include "protocol/transport/endpoint.h"
#include "protocol/value.h"

using namespace genai;

TEST_CASE("clipped text is valid UTF-8 of at most so many bytes") {
  CHECK(clip_text("short", 10) == "short");
  CHECK(clip_text("abcdef", 3) == "abc");
  CHECK(clip_text("ää", 3) == "ä");
  CHECK(clip_text_tail("ää", 3) == "ä");
  CHECK(clip_text_tail("abcdef", 3) == "def");
  CHECK(
      is_valid_utf8(clip_text("a\xff\xfe"
                              "b")));
  for (std::size_t max = 0; max < 20; ++max) {
    const std::string mixed = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xff\xc3";
    for (const std::string& clipped : {clip_text(mixed, max), clip_text_tail(mixed, max)}) {
      CHECK(clipped.size() <= max);
      CHECK(is_valid_utf8(clipped));
    }
  }
}

TEST_CASE("endpoints are judged by their shape") {
  using namespace transport;
  for (const char* good : {"tcp://127.0.0.1:7700", "tcp://*:0", "tcp://127.0.0.1:*",
                           "tcp://[::1]:7", "ipc:///tmp/x", "inproc://x"})
    CHECK(!endpoint_problem(good));
  for (const char* bad : {"", "tcp://", "tcp://host", "tcp://host:", "tcp://:5", "tcp://h:65536",
                          "tcp://h:x", "http://h:1", "ipc://", "127.0.0.1:7700"}) {
    CAPTURE(bad);
    CHECK(endpoint_problem(bad));
  }
  CHECK(endpoint_problem("ipc://" + std::string(108, 'x')));
}

TEST_CASE("looks into maps fall back when a key is absent or of another type") {
  const ValueMap map{{"text", "x"}, {"number", 5}, {"real", 1.5}, {"negative", -1}, {"on", true}};
  CHECK(get_string(map, "text") == "x");
  CHECK(get_string(map, "number", "none") == "none");
  CHECK(get_uint(map, "number") == 5);
  CHECK(get_uint(map, "negative", 9) == 9);
  CHECK(get_double(map, "real") == 1.5);
  CHECK(get_double(map, "number") == 5);
  CHECK(get_bool(map, "on"));
  CHECK(get_list(map, "text").empty());
  CHECK(get_map(map, "absent").empty());
}
