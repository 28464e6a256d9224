// The codes of the public header against the protocol's, and the advice against SPEC.md's.
#include "genai/client/errors.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <regex>
#include <string>

#include "protocol/base/errors.h"

using namespace genai::client;

TEST_CASE("every code of the protocol has its name here, and no other number has one") {
  for (std::uint16_t number = 0; number < 1000; ++number) {
    const auto code = genai::error_code(number);
    CAPTURE(number);
    CHECK(name(Errc{number}) == (code ? genai::name(*code) : "unknown"));
    if (code) CHECK(errc_named(genai::name(*code)) == Errc{number});
  }
}

TEST_CASE("the library's own codes have names and advice") {
  CHECK(std::string(name(Errc::kTimeout)) == "timeout");
  CHECK(errc_named("timeout") == Errc::kTimeout);
  CHECK(advice(Errc::kTimeout) == Advice::kRepeat);
  CHECK(std::string(name(Errc::kNotOpen)) == "not_open");
  CHECK(std::string(name(Errc::kBadAnswer)) == "bad_answer");
  CHECK(std::string(name(Errc::kSystem)) == "system");
  CHECK_FALSE(errc_named("no such name"));
  CHECK(advice(Errc{999}) == Advice::kFinal);
}

TEST_CASE("the advice is that of the table in SPEC.md") {
  const std::pair<const char*, Advice> kSaid[] = {
      {"^go on$", Advice::kGoOn},
      {"^(try|ask|say HELLO) again (later|after)", Advice::kRetryLater},
      {"authorize its key", Advice::kAuthorize},
      {"client: ask the other one", Advice::kAskOther},
      {"a client repeats", Advice::kRepeat},
      {"^(fix|speak|send less|choose another|check the name|ask for less|change what)",
       Advice::kFixRequest}};
  std::ifstream file(GENAI_ROOT "/protocol/SPEC.md");
  const std::regex row(R"(\| (\d+) \| (\w+) \| .* \| (.*?) ?\|)");
  int rows = 0;
  std::map<Advice, int> counts;
  for (std::string line; std::getline(file, line);) {
    std::smatch cells;
    if (!std::regex_match(line, cells, row)) continue;
    const auto code = errc_named(cells[2].str());
    if (!code || static_cast<int>(*code) != std::stoi(cells[1])) continue;  // another table
    ++rows;
    Advice expected = Advice::kFinal;
    for (const auto& [words, advice] : kSaid)
      if (std::regex_search(cells[3].str(), std::regex(words))) {
        expected = advice;
        break;
      }
    CAPTURE(line);
    CHECK(advice(*code) == expected);
    ++counts[expected];
  }
  CHECK(rows == 47);
  CHECK(counts[Advice::kRetryLater] == 7);
  CHECK(counts[Advice::kFixRequest] == 9);
}

TEST_CASE("an answer is a value or a failure") {
  Answer<int> good(7);
  REQUIRE(good);
  CHECK(*good == 7);
  CHECK(good.value() == 7);
  Answer<int> bad(Failure{Errc::kDraining, "not now"});
  REQUIRE(!bad);
  try {
    bad.value();
    FAIL("no exception");
  } catch (const ClientError& error) {
    CHECK(error.code() == Errc::kDraining);
    CHECK(std::string(error.what()) == "not now");
  }
}
