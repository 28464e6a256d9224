// What a process tells when it finds that its own state is wrong.
#include "protocol/base/check.h"

#include <catch2/catch.hpp>
#include <memory>
#include <thread>

#include "tests/unit/aborts.h"

using genai::Witness;
using genai::test::death_of;

TEST_CASE("a check that holds does nothing, and its story is not even made") {
  int stories = 0;
  const auto story = [&] {
    ++stories;
    return std::string("a long story");
  };
  GENAI_CHECK(stories == 0);
  GENAI_CHECK_STORY(stories == 0, story());
  CHECK(stories == 0);
  CHECK(!death_of([] {}).aborted);
}

TEST_CASE("a check that fails ends the process and says where and what") {
  const auto death = death_of([] {
    const int held = 3;
    GENAI_CHECK(held == 4);
  });
  CHECK(death.aborted);
  CHECK_THAT(death.said, Catch::Contains("check_test.cpp:") && Catch::Contains("held == 4"));
}

TEST_CASE("a check that fails tells its story behind the condition") {
  const auto death = death_of([] {
    const bool right = false;
    GENAI_CHECK_STORY(right, std::string("the slot is used ") + "twice");
  });
  CHECK(death.aborted);
  const auto condition = death.said.find("right");
  const auto story = death.said.find("the slot is used twice");
  REQUIRE(condition != std::string::npos);
  REQUIRE(story != std::string::npos);
  CHECK(condition < story);
}

TEST_CASE("each witness is asked when a check fails, and the youngest first") {
  const auto death = death_of([] {
    const Witness older([] { return std::string("it rained"); });
    const Witness younger([] { return std::string("the lamp went out"); });
    GENAI_CHECK_STORY(false, std::string("a broken chair"));
  });
  CHECK(death.aborted);
  const auto story = death.said.find("a broken chair");
  const auto younger = death.said.find("the lamp went out");
  const auto older = death.said.find("it rained");
  REQUIRE(story != std::string::npos);
  REQUIRE(younger != std::string::npos);
  REQUIRE(older != std::string::npos);
  CHECK(story < younger);
  CHECK(younger < older);
}

TEST_CASE("a witness that is gone is not asked, whatever the order in which they go") {
  const int goes = GENERATE(0, 1, 2);
  const auto death = death_of([&] {
    std::unique_ptr<Witness> witnesses[3];
    for (int i = 0; i < 3; ++i)
      witnesses[i] =
          std::make_unique<Witness>([i] { return "witness " + std::to_string(i) + " speaks"; });
    witnesses[goes].reset();
    GENAI_CHECK(false);
  });
  CHECK(death.aborted);
  for (int i = 0; i < 3; ++i) {
    const bool spoke = death.said.find("witness " + std::to_string(i)) != std::string::npos;
    INFO("witness " << i << " in: " << death.said);
    CHECK(spoke == (i != goes));
  }
}

TEST_CASE("a witness that breaks a check itself is asked once, and the others are still asked") {
  const auto death = death_of([] {
    const Witness other([] { return std::string("the other one speaks"); });
    int asked = 0;
    const Witness broken([&]() -> std::string {
      GENAI_CHECK_STORY(false, "asked for the time number " + std::to_string(++asked));
    });
    GENAI_CHECK(false);
  });
  CHECK(death.aborted);
  CHECK_THAT(death.said, Catch::Contains("time number 1") && !Catch::Contains("time number 2") &&
                             Catch::Contains("the other one speaks"));
}

TEST_CASE("only witnesses of the thread on which a check fails are asked") {
  const auto death = death_of([] {
    const Witness here([] { return std::string("of another thread"); });
    std::thread([] {
      const Witness there([] { return std::string("of this thread"); });
      GENAI_CHECK(false);
    }).join();
  });
  CHECK(death.aborted);
  CHECK_THAT(death.said,
             Catch::Contains("of this thread") && !Catch::Contains("of another thread"));
}
