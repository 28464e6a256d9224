// Names of files from elsewhere on this disk.
#include "tools/ctl/safe_name.h"

#include <catch2/catch.hpp>

using namespace genai::ctl;

TEST_CASE("a harmless name stays as it is") {
  for (const char* name : {"a.png", "masks/1 (2).png", "日本/ä.webp", "a..b", "a-b", "NULL.txt",
                           "COM.txt", "console", "LPT10"})
    CHECK(safe_name(name) == name);
}

TEST_CASE("what a system or a program treats in a special way is replaced") {
  CHECK(safe_name(".bashrc") == "_bashrc");
  CHECK(safe_name("a/.ssh/keys") == "a/_ssh/keys");
  CHECK(safe_name("-rf") == "_rf");
  CHECK(safe_name("~root") == "_root");
  CHECK(safe_name("...") == "_._");
  CHECK(safe_name("a:b*c?.png") == "a_b_c_.png");
  CHECK(safe_name("a.") == "a_");
  CHECK(safe_name("a ") == "a_");
  CHECK(safe_name("NUL") == "_NUL");
  CHECK(safe_name("a/con.txt") == "a/_con.txt");
  CHECK(safe_name("Com1 .png") == "_Com1 .png");
  CHECK(safe_name("a\u202egnp.exe") == "a_gnp.exe");  // would be shown as aexe.png
  CHECK(safe_name("a\u200bb") == "a_b");
}

TEST_CASE("a number goes before the suffix") {
  CHECK(numbered_name("a.png", 2) == "a-2.png");
  CHECK(numbered_name("d.x/a", 3) == "d.x/a-3");
  CHECK(numbered_name("d/.a", 2) == "d/.a-2");
  const std::string full = numbered_name(std::string(251, 'n') + ".png", 2);
  CHECK(full.size() == 255);
  CHECK(full.ends_with("n-2.png"));
}
