// A client that did not read is told of the answers that it has missed.
#include "dispatcher/desk/unread.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace genai;
using genai::dispatcher::Unread;

TEST_CASE("whoever missed answers is told how many, once there is room") {
  Unread unread;
  Duration now = from_ms(1000);
  CHECK(unread.next_deadline() == kNever);
  for (int i = 0; i < 3; ++i) unread.dropped("deaf", now);
  unread.dropped("slow", now);
  REQUIRE(unread.next_deadline() > now);

  std::vector<std::pair<std::string, std::string>> told;
  bool room = false;
  const auto tell = [&] {
    now = unread.next_deadline();
    unread.tell(now, [&](const std::string& peer, const msg::ErrorReply& message) {
      CHECK(message.request == 0);
      CHECK(message.code == ErrorCode::kPeerFull);
      if (!room && peer == "deaf") return false;
      told.emplace_back(peer, message.detail);
      return true;
    });
  };
  tell();
  REQUIRE(told.size() == 1);
  CHECK(told[0].first == "slow");
  CHECK(told[0].second.starts_with("1 answer was dropped"));
  REQUIRE(unread.next_deadline() != kNever);  // the other one is still to be told
  unread.dropped("deaf", now);
  room = true;
  tell();
  REQUIRE(told.size() == 2);
  CHECK(told[1].first == "deaf");
  CHECK(told[1].second.starts_with("4 answers were dropped"));
  CHECK(unread.next_deadline() == kNever);
}

TEST_CASE("whoever is gone is not told any more") {
  Unread unread;
  unread.dropped("gone", from_ms(1000));
  unread.forget("gone");
  unread.forget("unknown");
  int offered = 0;
  unread.tell(from_ms(60'000), [&](const std::string&, const msg::ErrorReply&) {
    ++offered;
    return true;
  });
  CHECK(offered == 0);
  CHECK(unread.next_deadline() == kNever);
}

TEST_CASE("results and progress are no answers: they are sent again, or may get lost") {
  CHECK(Unread::is_answer(msg::Accepted{}));
  CHECK(Unread::is_answer(msg::ErrorReply{}));
  CHECK(!Unread::is_answer(msg::Deliver{}));
  CHECK(!Unread::is_answer(msg::Update{}));
}
