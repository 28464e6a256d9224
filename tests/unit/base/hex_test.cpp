#include "protocol/base/hex.h"

#include <catch2/catch.hpp>

TEST_CASE("each byte becomes two digits, the high one first") {
  CHECK(genai::hex("").empty());
  CHECK(genai::hex({"\x00\x0f\xa0\xff", 4}) == "000fa0ff");
  std::string text = "key ";
  genai::append_hex(text, "AZ");
  CHECK(text == "key 415a");
}
