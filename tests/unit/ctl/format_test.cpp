#include "tools/ctl/format.h"

#include <catch2/catch.hpp>

#include "tools/ctl/json.h"

using namespace genai::ctl;

TEST_CASE("tables align by characters, not bytes") {
  CHECK(table_lines({{"A", "B"}, {"größe", "x"}, {"abc", "yy"}}) ==
        std::vector<std::string>{"A      B", "größe  x", "abc    yy"});
}

TEST_CASE("bars fill and clamp") {
  CHECK(bar(0, 4) == "----");
  CHECK(bar(0.5, 4) == "##--");
  CHECK(bar(1, 4) == "####");
  CHECK(bar(7, 4) == "####");
  CHECK(bar(-1, 4) == "----");
}

TEST_CASE("durations read well") {
  CHECK(duration_text(350) == "350 ms");
  CHECK(duration_text(12'340) == "12.3 s");
  CHECK(duration_text(245'000) == "4 m 05 s");
  CHECK(duration_text(11'220'000) == "3 h 07 m");
  CHECK(duration_text(187'200'000) == "2 d 04 h");
}

TEST_CASE("hostile text cannot reach the terminal as it is") {
  const std::string hostile = "\033[2J\x07\nfake line\xff";
  const std::string shown = cell(hostile, 200);
  for (const char c : shown) CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  CHECK(shown.find("fake line") != std::string::npos);
}

TEST_CASE("long text is cut at a character") {
  CHECK(cell("abcdef", 6) == "abcdef");
  CHECK(cell("abcdefg", 6) == "abcde…");
  CHECK(cell("ääääää", 3) == "ää…");
  CHECK(cell("abc", 0).empty());
}

TEST_CASE("times are ISO 8601 in UTC") {
  CHECK(iso_time(0) == "1970-01-01T00:00:00.000Z");
  CHECK(iso_time(1'763'920'800'123) == "2025-11-23T18:00:00.123Z");
}
