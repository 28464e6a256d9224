// The public client on a real socket, against a dispatcher played by a thread.
#include "genai/client.h"

#include <catch2/catch.hpp>
#include <mutex>
#include <set>

#include "tests/unit/client/fake_dispatcher.h"

using namespace genai;
using namespace genai::client::test;
using genai::client::Client;
using genai::client::ClientError;
using genai::client::Errc;
using genai::client::Millis;

namespace {

/// A dispatcher that keeps count of what is acknowledged and left, with a window of its own.
class Counting {
 public:
  explicit Counting(std::size_t window = 1000) : window_(window) {}

  std::vector<Message> operator()(const Message& message) {
    const std::lock_guard lock(mutex_);
    std::vector<Message> replies;
    if (const auto* ack = std::get_if<msg::DeliverAck>(&message)) {
      ++acks_;
      for (const TaskId& id : ack->ids) {
        acknowledged_.insert(id.str());
        in_window_.erase(id.str());
      }
    } else if (const auto* watch = std::get_if<msg::Watch>(&message)) {
      for (const TaskId& id : watch->ids) in_window_.erase(id.str());
      replies = {msg::Tasks{watch->request, {}, false}};
    } else {
      replies = echo(message);
      if (std::holds_alternative<msg::Submit>(message)) {
        const auto entries = std::get<msg::Deliver>(replies.back()).entries;
        waiting_.insert(waiting_.end(), entries.begin(), entries.end());
        replies.pop_back();
      }
    }
    msg::Deliver deliver;
    for (; !waiting_.empty() && in_window_.size() < window_; waiting_.pop_back()) {
      in_window_.insert(waiting_.back().task_id.str());
      deliver.entries.push_back(waiting_.back());
    }
    if (!deliver.entries.empty()) replies.emplace_back(std::move(deliver));
    return replies;
  }

  std::set<std::string> acknowledged() const {
    const std::lock_guard lock(mutex_);
    return acknowledged_;
  }
  int acks() const {
    const std::lock_guard lock(mutex_);
    return acks_;
  }

 private:
  const std::size_t window_;
  mutable std::mutex mutex_;
  std::vector<msg::Deliver::Entry> waiting_;  // the newest goes first
  std::set<std::string> in_window_, acknowledged_;
  int acks_ = 0;
};

FakeDispatcher::Answer asking(Counting& counting) {
  return [&counting](const Message& message) { return counting(message); };
}

client::TaskRequest named(const std::string& id) {
  client::TaskRequest request;
  request.id = id;
  return request;
}

}  // namespace

TEST_CASE("a result is acknowledged when the caller comes back, not before") {
  using Ids = std::set<std::string>;
  const std::string at = endpoint();
  Counting counting;
  FakeDispatcher dispatcher(at, asking(counting));
  Client client({.endpoint = at});
  client.submit({named("a"), named("b"), named("c"), named("d")});
  REQUIRE(client.wait("a"));
  client.ping();  // what was sent before it has been read; and this is no coming back
  CHECK(counting.acknowledged().empty());
  REQUIRE(client.wait("b"));
  client.acknowledge();
  client.ping();
  CHECK(counting.acknowledged() == Ids{"a", "b"});
  CHECK(client.next());
  CHECK(client.next());
  client.ping();
  CHECK(counting.acknowledged() == Ids{"a", "b"});
  CHECK(!client.next());
  client.ping();
  CHECK(counting.acknowledged() == Ids{"a", "b", "c", "d"});
}

TEST_CASE("a result that is left stays with the dispatcher") {
  const std::string at = endpoint();
  Counting counting;
  FakeDispatcher dispatcher(at, asking(counting));
  Client client({.endpoint = at});
  client.submit({named("a"), named("b")});
  REQUIRE(client.wait("a"));
  client.leave("nobody");
  client.leave("a");
  REQUIRE(client.wait("b"));
  client.acknowledge();
  client.ping();
  CHECK(counting.acknowledged() == std::set<std::string>{"b"});
}

TEST_CASE("a result that is left while the dispatcher is away is not acknowledged later") {
  const std::string at = endpoint();
  Counting counting;
  Client client({.endpoint = at, .timeout = Millis(200)});
  {
    FakeDispatcher dispatcher(at, asking(counting));
    client.submit({named("a"), named("b")});
    REQUIRE(client.wait("a"));
    REQUIRE(client.wait("b"));
  }
  CHECK_THROWS_AS(client.watch({"b"}, client::Watch::kNone), ClientError);
  FakeDispatcher dispatcher(at, asking(counting));
  CHECK(!client.next());
  client.acknowledge();
  CHECK(soon([&] {
    try {
      return client.ping() == 7;
    } catch (const ClientError&) {
      return false;  // it reconnects
    }
  }));
  CHECK(!counting.acknowledged().contains("b"));
}

TEST_CASE("the end of a client does not acknowledge the result that nobody has said is kept") {
  const std::string at = endpoint();
  Counting counting;
  FakeDispatcher dispatcher(at, asking(counting));
  {
    Client client({.endpoint = at});
    client.submit({named("a"), named("b")});
    REQUIRE(client.wait("a"));
    REQUIRE(client.wait("b"));  // came back: "a" is kept
  }
  CHECK(soon([&] { return counting.acknowledged().contains("a"); }));
  Client other({.endpoint = at});
  other.submit({named("c"), named("d")});
  REQUIRE(other.wait("c"));
  REQUIRE(other.wait("d"));
  other = Client({.endpoint = at});
  CHECK(soon([&] { return counting.acknowledged().contains("c"); }));
  for (const char* id : {"b", "d"}) CHECK(!counting.acknowledged().contains(id));
}

TEST_CASE("acknowledgements travel in groups") {
  const std::string at = endpoint();
  Counting counting(5000);
  FakeDispatcher dispatcher(at, asking(counting));
  Client client({.endpoint = at});
  client.submit(std::vector<client::TaskRequest>(3000));
  while (client.next()) continue;
  client.ping();
  CHECK(counting.acknowledged().size() == 3000);
  CHECK(counting.acks() < 300);
}

TEST_CASE("results that are not waited for are not in the way of the one that is") {
  const std::string at = endpoint();
  Counting counting(10);
  FakeDispatcher dispatcher(at, asking(counting));
  Client client({.endpoint = at});
  std::vector<client::TaskRequest> requests;
  for (int i = 0; i < 100; ++i) requests.push_back(named("t" + std::to_string(i)));
  client.submit(requests);
  for (const auto& request : requests) REQUIRE(client.wait(request.id, Millis(10'000)));
  client.acknowledge();
  client.ping();
  CHECK(counting.acknowledged().size() == 100);
}

TEST_CASE("submit and wait over a socket") {
  const std::string at = endpoint();
  Client client({.endpoint = at});  // before there is a dispatcher: the client waits for it
  FakeDispatcher dispatcher(at, echo);
  client::TaskRequest request;
  request.payload = std::string(1u << 20, 'p');
  const std::string id = client.submit(request);
  CHECK(id.size() == 36);
  auto result = client.wait(id);
  REQUIRE(result);
  CHECK(result->status == client::Status::kCompleted);
  CHECK(result->data == request.payload);
  CHECK(client.open_tasks() == 0);
}

TEST_CASE("results come once each through next") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Client client({.endpoint = at});
  std::vector<client::TaskRequest> requests(500);
  CHECK(client.submit(requests).size() == 500);
  std::set<std::string> seen;
  while (auto event = client.next(Millis(client.open_tasks() ? 10'000 : 0)))
    CHECK(seen.insert(std::get<client::TaskResult>(*event).id).second);
  CHECK(seen.size() == 500);
}

TEST_CASE("queries answer or throw with the dispatcher's code") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Client client({.endpoint = at});
  CHECK(client.stats().store == "memory");
  try {
    client.drain("nobody");
    FAIL("no exception");
  } catch (const ClientError& error) {
    CHECK(error.code() == Errc::kUnknownNode);
    CHECK(std::string(error.what()) == "no such node");
  }
}

TEST_CASE("a dispatcher that is not there is a timeout, a bad argument an error at once") {
  Client client({.endpoint = endpoint(), .timeout = Millis(50)});
  try {
    client.nodes();
    FAIL("no exception");
  } catch (const ClientError& error) {
    CHECK(error.code() == Errc::kTimeout);
  }
  CHECK(!client.next(Millis(20)));
  CHECK_THROWS_AS(client.status({"a b"}), ClientError);
  CHECK_THROWS_AS(Client({.endpoint = "nonsense"}), ClientError);
}

TEST_CASE("any number of ids may be asked about at once") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Client client({.endpoint = at});
  std::vector<std::string> ids;
  for (int i = 0; i < 5000; ++i) ids.push_back("t" + std::to_string(i));
  const auto verdicts = client.cancel(ids);
  REQUIRE(verdicts.size() == 5000);
  CHECK(verdicts[4999].id == "t4999");
  const auto purged = client.purge(ids);
  REQUIRE(purged.size() == 5000);
  CHECK(purged[4999].id == "t4999");
  CHECK(client.purge({}).empty());
  CHECK(client.cancel({}).empty());
  CHECK(client.list().empty());
  CHECK(client.ping() == 7);
}

TEST_CASE("what can never be answered is said at once") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Client client({.endpoint = at});
  CHECK(!client.next());
  const auto code_of = [](auto call) {
    try {
      call();
    } catch (const ClientError& error) {
      return error.code();
    }
    return Errc::kOk;
  };
  CHECK(code_of([&] { client.wait("nobody"); }) == Errc::kNotOpen);
  CHECK(code_of([&] { client.drain(std::string(65, 'n')); }) == Errc::kBadField);
  client::TaskRequest request;
  request.id = "twin";
  CHECK(code_of([&] { client.submit({request, request}); }) == Errc::kBadField);
  request.id = "a b";
  CHECK(code_of([&] { Client::check(request); }) == Errc::kBadField);
  CHECK(client.open_tasks() == 0);
}

TEST_CASE("replays get new ids and a verdict each") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Client client({.endpoint = at});
  const auto verdicts = client.replay({{"a", ""}, {"b", "b-again"}, {"done", ""}});
  REQUIRE(verdicts.size() == 3);
  CHECK(verdicts[0].ok());
  CHECK(verdicts[0].id.size() == 36);
  CHECK(verdicts[1].id == "b-again");
  CHECK(verdicts[2].code == Errc::kNotFailed);
  CHECK(verdicts[2].detail == "Completed");
  CHECK(client.open_tasks() == 0);
  CHECK(client.replay({}).empty());
  CHECK(client.replay(std::vector<client::Replay>(5000, {"a", ""})).size() == 5000);
}

TEST_CASE("a replay that could not be sent is refused as a whole") {
  std::atomic<int> replays{0};
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, [&](const Message& message) {
    replays += std::holds_alternative<msg::Replay>(message);
    return echo(message);
  });
  Client client({.endpoint = at});
  CHECK_THROWS_AS(client.replay({{"a", "x"}, {"b", "x"}}), ClientError);
  CHECK_THROWS_AS(client.replay({{"a", ""}, {"b b", ""}}), ClientError);
  CHECK_THROWS_AS(client.replay({{"a", ""}, {"", ""}}), ClientError);
  CHECK_THROWS_AS(client.purge({"a", ""}), ClientError);
  CHECK(client.ping() == 7);  // whatever was sent before it has been read
  CHECK(replays == 0);
}

TEST_CASE("another content for an open id is refused at once and leaves the first alone") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, [](const Message& message) {
    std::vector<Message> replies = echo(message);
    if (std::holds_alternative<msg::Submit>(message)) replies.pop_back();  // no result yet
    return replies;
  });
  Client client({.endpoint = at});
  client::TaskRequest request;
  request.id = "t";
  client.submit(request);
  request.payload = "another";
  CHECK(client.submit(std::vector{request}).at(0).code == Errc::kIdConflict);
  CHECK(client.open_tasks() == 1);
}
