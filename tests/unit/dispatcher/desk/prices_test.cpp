// The desk alone: what requests cost their client.
#include "tests/unit/dispatcher/desk/office.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::Office;
using genai::dispatcher::test::Wishes;

namespace {

msg::StatusQuery query(std::size_t ids) {
  msg::StatusQuery query{1, {}};
  for (std::size_t i = 0; i < ids; ++i)
    query.ids.push_back(Office::id("unknown-" + std::to_string(i)));
  return query;
}

/// How many of these are answered before one is refused for its price.
template <class M>
std::size_t answered(Office& office, const M& message, const std::string& peer = "client") {
  for (std::size_t count = 0; count <= limits::kMaxAskedPerSecond; ++count) {
    office.ask(message, peer);
    const auto errors = office.replies_to<msg::ErrorReply>(peer);
    if (!errors.empty() && errors[0].code == ErrorCode::kSlowDown) return count;
  }
  FAIL("it is free");
  return 0;
}

}  // namespace

TEST_CASE("desk: a request costs the more the more it names") {
  Office office;
  const std::size_t of_one = answered(office, query(1));
  office.pass(2'000);
  const std::size_t of_many = answered(office, query(100));
  CHECK(of_many > 0);
  CHECK(of_many * 5 < of_one);
  CHECK(of_many * 100 <= limits::kMaxAskedPerSecond + 100);
}

TEST_CASE("desk: who has asked too much is refused whatever has a price, and not what is free") {
  Office office;
  office.submit("a");
  office.submit("failed");
  office.finish("failed", Step::kFail);
  answered(office, query(100));
  const std::vector<TaskId> ids{Office::id("a")};
  const std::vector<ClientRequest> priced = {
      msg::Watch{1, msg::WatchLevel::kResult, ids},
      msg::Cancel{1, ids},
      msg::Reprioritise{1, 9, ids},
      msg::Purge{1, {Office::id("failed")}},
      msg::Replay{1, {{Office::id("failed"), Office::id("again")}}},
      msg::StatusQuery{1, ids},
      msg::List{1, {}},
      msg::NodesQuery{1, false},
      msg::StatsQuery{1},
      msg::Drain{1, "", true},
  };
  for (const ClientRequest& message : priced) {
    office.ask(message);
    INFO("request of index " << message.index());
    CHECK(office.wishes.empty());
    CHECK(office.error() == ErrorCode::kSlowDown);
  }
  CHECK(office.submit("new").code == ErrorCode::kOk);
  office.ask(msg::DeliverAck{{Office::id("failed")}});
  CHECK(office.wishes == Wishes{"fetched failed"});
  office.ask(msg::Ping{1});
  CHECK(office.replies_to<msg::Pong>().size() == 1);
  // Others do not pay for it, and time does.
  office.ask(msg::StatusQuery{1, ids}, "modest");
  CHECK(office.replies_to<msg::Tasks>("modest").size() == 1);
  office.pass(1'000);
  office.ask(msg::Cancel{1, ids});
  CHECK(office.wishes == Wishes{"cancel a"});
}

TEST_CASE("desk: the connections of one key pay together") {
  Office office;
  office.who = Office::key("k1");
  answered(office, query(100), "first");
  office.ask(query(1), "second");
  CHECK(office.error("second") == ErrorCode::kSlowDown);
  office.who = Office::key("k2");
  office.ask(query(1), "third");
  CHECK(office.replies_to<msg::Tasks>("third").size() == 1);
}
