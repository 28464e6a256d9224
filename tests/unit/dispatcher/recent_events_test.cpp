// The ring of what has happened, as it is told.
#include "dispatcher/recent_events.h"

#include <catch2/catch.hpp>
#include <sstream>
#include <string>
#include <vector>

using namespace genai;
using namespace genai::dispatcher;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("recent events are told one on a line, the oldest first") {
  RecentEvents recent;
  recent.add(from_ms(1'000), "task accepted", 7);
  recent.add(from_ms(1'250), "session joined");
  recent.add(from_ms(1'300), "task assigned", 8);
  const auto lines = lines_of(recent.story());
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "the last 3 of 3 events:");
  CHECK(lines[1] == "  1000 ms task accepted, task 7");
  CHECK(lines[2] == "  1250 ms session joined");
  CHECK(lines[3] == "  1300 ms task assigned, task 8");
}

TEST_CASE("nothing has happened yet") {
  CHECK(lines_of(RecentEvents().story()) == std::vector<std::string>{"the last 0 of 0 events:"});
}

TEST_CASE("of a session only its short form is told, since the whole is a secret of its node") {
  SessionId::Bytes bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(0xa0 + i);
  const SessionId session(bytes);
  RecentEvents recent;
  recent.add(from_ms(5), "session lost", 0, session);
  const auto lines = lines_of(recent.story());
  REQUIRE(lines.size() == 2);
  CHECK(lines[1] == "  5 ms session lost, session " + session.short_hex());
}

TEST_CASE("of more events than the ring keeps the last ones are told, in their order") {
  const std::uint64_t added = GENERATE(1'000, 1'001, 100'000);
  RecentEvents recent;
  for (std::uint64_t i = 1; i <= added; ++i) recent.add(from_ms(10 * i), "beat", i);
  const auto lines = lines_of(recent.story());
  REQUIRE(lines.size() > 1);
  const std::uint64_t kept = lines.size() - 1;
  CHECK(kept < added);
  CHECK(kept >= 100);  // enough to see what came before
  CHECK(lines[0] ==
        "the last " + std::to_string(kept) + " of " + std::to_string(added) + " events:");
  for (std::uint64_t i = 0; i < kept; ++i) {
    const std::uint64_t number = added - kept + 1 + i;
    REQUIRE(lines[1 + i] ==
            "  " + std::to_string(10 * number) + " ms beat, task " + std::to_string(number));
  }
}
