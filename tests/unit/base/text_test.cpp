#include "protocol/base/text.h"

#include <catch2/catch.hpp>

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
