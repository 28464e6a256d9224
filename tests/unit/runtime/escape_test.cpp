#include "protocol/runtime/escape.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

using namespace genai::runtime;

TEST_CASE("plain and international text is printed as it is") {
  CHECK(escaped("a \"quoted\" word, 100 % größer, 絵, 🎨") ==
        "a \"quoted\" word, 100 % größer, 絵, 🎨");
}

TEST_CASE("whatever moves a cursor or forges a line is escaped") {
  CHECK(escaped("a\nb\rc\td") == "a\\nb\\rc\\td");
  CHECK(escaped(std::string("nul\0", 4)) == "nul\\u0000");
  CHECK(escaped("\x1b[2J") == "\\u001b[2J");
  CHECK(escaped("\x7f") == "\\u007f");
  CHECK(escaped("\xC2\x9B") == "\\u009b");      // CSI in one code point
  CHECK(escaped("\xE2\x80\xAE") == "\\u202e");  // right-to-left override
  CHECK(escaped("\xE2\x80\xA8") == "\\u2028");  // line separator
  CHECK(escaped("\xE2\x81\xA6") == "\\u2066");  // isolate
  CHECK(escaped("C:\\new") == "C:\\\\new");
}

TEST_CASE("invalid UTF-8 becomes the replacement character, byte by byte") {
  const std::string r = "\xEF\xBF\xBD";
  CHECK(escaped("a\xFFz") == "a" + r + "z");
  CHECK(escaped("\xC3") == r);
  CHECK(escaped("\xC0\xAF") == r + r);                  // overlong '/'
  CHECK(escaped("\xE0\x80\xAF") == r + r + r);          // overlong
  CHECK(escaped("\xED\xA0\x80") == r + r + r);          // surrogate
  CHECK(escaped("\xF4\x90\x80\x80") == r + r + r + r);  // above U+10FFFF
  CHECK(escaped("\xE2\x82"
                "A") == r + r + "A");  // cut short by the next character
  CHECK(escaped("\x80") == r);
}

TEST_CASE("every byte gives a valid JSON string that reads back") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  const std::string json = "\"" + escaped(all, EscapeFor::kQuoted) + "\"";
  CHECK(nlohmann::json::parse(json).get<std::string>() == all);

  for (int c = 0; c < 256; ++c) {
    const std::string text =
        "\"" + escaped(std::string(3, static_cast<char>(c)), EscapeFor::kQuoted) + "\"";
    CHECK(nlohmann::json::accept(text));
  }
}

TEST_CASE("long text is cut between characters") {
  CHECK(escaped(std::string(kMaxPrintedTextBytes, 'x')) == std::string(kMaxPrintedTextBytes, 'x'));
  CHECK(escaped(std::string(kMaxPrintedTextBytes + 1, 'x')) ==
        std::string(kMaxPrintedTextBytes, 'x') + "...");
  const std::string before(kMaxPrintedTextBytes - 1, 'x');
  CHECK(escaped(before + "ö") == before + "...");
}
