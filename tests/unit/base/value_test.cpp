#include "protocol/base/value.h"

#include <catch2/catch.hpp>

using namespace genai;

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
