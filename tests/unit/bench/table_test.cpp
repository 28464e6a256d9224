#include "tools/bench/table.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace genai::bench;

TEST_CASE("a table's head names the columns and their sides") {
  CHECK(Table({"store", "tasks/s", "x"}).head() ==
        "| store | tasks/s | x |\n"
        "| ----- | ------: | : |\n");
}

TEST_CASE("cells stand below their headings; a longer one only makes its row wider") {
  const Table table({"store", "tasks/s"});
  CHECK(table.row({"a", "12"}) == "| a     |      12 |\n");
  CHECK(table.row({"memory", "12345678"}) == "| memory | 12345678 |\n");
}

TEST_CASE("what was not measured is a dash") {
  CHECK(cell(std::nan(""), 2) == "-");
  CHECK(cell(0, 0) == "0");
  CHECK(cell(12.345, 1) == "12.3");
  CHECK(cell(99.96, 1) == "100.0");
}
