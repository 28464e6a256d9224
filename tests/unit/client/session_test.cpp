// The session on a real socket: one descriptor tells when there is something to do.
#include "genai/client/session.h"

#include <poll.h>
#include <sys/epoll.h>

#include <catch2/catch.hpp>
#include <set>

#include "tests/unit/client/fake_dispatcher.h"

using namespace genai;
using namespace genai::client::test;
using genai::client::Answer;
using genai::client::ClientError;
using genai::client::Errc;
using genai::client::Millis;
using genai::client::Session;
using genai::client::TaskRequest;
using genai::client::TaskResult;

namespace {

constexpr int kPatienceMs = 20'000;

bool is_readable(const Session& session, int wait_ms = 0) {
  pollfd wait{session.fd(), POLLIN, 0};
  return poll(&wait, 1, wait_ms) == 1;
}

/// As a program's loop does: only when the descriptor is readable.
template <class Done>
bool serve(Session& session, Done done) {
  const auto give_up = std::chrono::steady_clock::now() + Millis(3 * kPatienceMs);
  while (!done()) {
    if (!is_readable(session, kPatienceMs)) return false;
    session.process();
    if (std::chrono::steady_clock::now() > give_up) return false;
  }
  return true;
}

/// Hears of a descriptor only what is new since it last looked.
class Edges {
 public:
  explicit Edges(const Session& session) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    REQUIRE(epoll_ctl(epoll_, EPOLL_CTL_ADD, session.fd(), &event) == 0);
  }
  ~Edges() { close(epoll_); }
  bool wait() const {
    epoll_event event{};
    return epoll_wait(epoll_, &event, 1, kPatienceMs) == 1;
  }

 private:
  const int epoll_;
};

TaskRequest request_of(const std::string& payload) {
  TaskRequest request;
  request.payload = payload;
  return request;
}

}  // namespace

TEST_CASE("a task is submitted and its result comes, driven by poll alone") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Session session({.endpoint = at});
  std::optional<TaskResult> result;
  const auto id = session.submit(request_of("in"), [&](TaskResult r) { result = std::move(r); });
  REQUIRE(id);
  CHECK(!session.has_heard());
  REQUIRE(serve(session, [&] { return result.has_value(); }));
  CHECK(result->id == *id);
  CHECK(result->data == "in");
  CHECK(session.has_heard());
  CHECK(session.open_tasks() == 0);
}

TEST_CASE("what is asked for makes the descriptor readable, and process() does so no longer") {
  Session session({.endpoint = endpoint()});
  while (is_readable(session)) session.process();
  session.set_aside();  // nothing to do
  CHECK(!is_readable(session));
  session.ping({});
  CHECK(is_readable(session));
  session.cancel({"a b"}, {});  // cannot even be sent
  CHECK(is_readable(session));
}

TEST_CASE("an edge-triggered epoll misses nothing") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Session session({.endpoint = at});
  const Edges edges(session);
  int results = 0;
  std::function<void(TaskResult)> again = [&](const TaskResult& result) {
    session.acknowledge({result.id});
    if (++results < 300) session.submit(request_of("again"), again);
  };
  session.submit(request_of("first"), again);
  while (results < 300) {
    REQUIRE(edges.wait());
    session.process();
  }
  CHECK(results == 300);
}

TEST_CASE("what a callback asks for is a new edge") {
  Session session({.endpoint = endpoint()});
  while (is_readable(session)) session.process();
  const Edges edges(session);
  int refused = 0;
  std::function<void(Answer<std::vector<client::Verdict>>)> again = [&](const auto&) {
    if (++refused < 3) session.cancel({"no id"}, again);
  };
  session.cancel({"no id"}, again);
  while (refused < 3) {
    REQUIRE(edges.wait());
    session.process();
  }
}

TEST_CASE("thousands of results come through a turn of limited length") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, [](const Message& message) {
    std::vector<Message> replies;  // each result in a message of its own
    for (Message& reply : echo(message)) {
      if (auto* deliver = std::get_if<msg::Deliver>(&reply))
        for (auto& entry : deliver->entries) replies.emplace_back(msg::Deliver{{entry}});
      else
        replies.push_back(std::move(reply));
    }
    return replies;
  });
  Session session({.endpoint = at});
  std::set<std::string> ids;
  client::TaskCallbacks callbacks;
  callbacks.result = [&](const TaskResult& result) { ids.insert(result.id); };
  REQUIRE(session.submit(std::vector<TaskRequest>(900), callbacks));
  REQUIRE(session.submit(std::vector<TaskRequest>(900), callbacks));
  REQUIRE(session.submit(std::vector<TaskRequest>(900), callbacks));
  const Edges edges(session);  // each turn that leaves messages behind makes a new one
  while (ids.size() < 2700) {
    REQUIRE(edges.wait());
    session.process();
  }
}

TEST_CASE("a timer makes the descriptor readable: a question ends without any message") {
  Session session({.endpoint = endpoint(), .timeout = Millis(50)});
  std::optional<Errc> code;
  session.nodes(false, [&](const Answer<std::vector<client::NodeInfo>>& answer) {
    code = answer.failure().code;
  });
  REQUIRE(serve(session, [&] { return code.has_value(); }));
  CHECK(*code == Errc::kTimeout);
}

TEST_CASE("the descriptor stays over the end and the return of the dispatcher") {
  const std::string at = endpoint();
  Session session({.endpoint = at, .timeout = Millis(kPatienceMs)});
  const int fd = session.fd();
  int epochs = 0;
  const auto ping = [&] {
    session.ping([&](const Answer<std::uint64_t>& answer) { epochs += answer.ok(); });
  };
  {
    FakeDispatcher dispatcher(at, echo);
    ping();
    REQUIRE(serve(session, [&] { return epochs == 1; }));
  }
  ping();
  session.process();
  FakeDispatcher dispatcher(at, echo);
  REQUIRE(serve(session, [&] { return epochs == 2; }));
  CHECK(session.fd() == fd);
}

TEST_CASE("what was asked for last is sent when the session ends") {
  const std::string at = endpoint();
  std::atomic<int> acknowledged{0};
  FakeDispatcher dispatcher(at, [&](const Message& message) {
    if (const auto* ack = std::get_if<msg::DeliverAck>(&message))
      acknowledged += static_cast<int>(ack->ids.size());
    return echo(message);
  });
  {
    Session session({.endpoint = at});
    std::string id;
    session.submit(request_of("in"), [&](const TaskResult& result) { id = result.id; });
    REQUIRE(serve(session, [&] { return !id.empty(); }));
    session.acknowledge({id});
  }
  CHECK(soon([&] { return acknowledged == 1; }));
}

TEST_CASE("a large payload and a large result travel without a copy on our side") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Session session({.endpoint = at});
  TaskRequest request = request_of(std::string(4u << 20, 'p'));
  const char* const bytes = request.payload.data();
  TaskRequest copy = request;
  CHECK(copy.payload.data() == bytes);
  std::optional<TaskResult> result;
  session.submit(std::move(copy), [&](TaskResult r) { result = std::move(r); });
  REQUIRE(serve(session, [&] { return result.has_value(); }));
  CHECK(result->data == request.payload);
  const TaskResult other = *result;
  CHECK(other.data.data() == result->data.data());
}

TEST_CASE("a callback's exception leaves process(), and the session goes on") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Session session({.endpoint = at});
  int thrown = 0, ended = 0;
  session.submit(request_of("a"), [](const TaskResult&) { throw std::runtime_error("full"); });
  session.submit(request_of("b"), [&](const TaskResult&) { ++ended; });
  const auto is_done = [&] { return thrown == 1 && ended == 1; };
  while (!is_done()) {
    REQUIRE(is_readable(session, kPatienceMs));
    try {
      session.process();
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  CHECK(session.open_tasks() == 0);
}

TEST_CASE("a session is moved with its descriptor; a wrong endpoint or key has none") {
  const std::string at = endpoint();
  FakeDispatcher dispatcher(at, echo);
  Session first({.endpoint = at});
  const int fd = first.fd();
  Session session = std::move(first);
  CHECK(session.fd() == fd);
  bool done = false;
  session.stats([&](const Answer<client::Stats>& stats) { done = stats->store == "memory"; });
  CHECK(serve(session, [&] { return done; }));
  const auto code_of = [](client::Config config) {
    try {
      Session session(std::move(config));
    } catch (const ClientError& error) {
      return error.code();
    }
    return Errc::kOk;
  };
  CHECK(code_of({.endpoint = "nonsense"}) == Errc::kBadField);
  CHECK(code_of({.key_file = "/nowhere", .server_key = std::string(40, 'a')}) != Errc::kOk);
}
