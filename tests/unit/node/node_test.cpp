// The whole library against a broker of a few lines, over real sockets.
#include "genai/node.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <future>
#include <mutex>

#include "protocol/base/limits.h"
#include "protocol/transport/socket.h"
#include "protocol/transport/system.h"
#include "protocol/wire/messages.h"
#include "protocol/wire/open_map.h"

namespace genai::node {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = from_ms(20'000);

/// Plays the broker: the test says what it says.
class FakeBroker {
 public:
  FakeBroker() : router_(context_, {limits::kMaxFrameBytes, 100, 100}) {
    const auto bound = router_.bind("tcp://127.0.0.1:*");
    REQUIRE(bound);
    endpoint = *bound;
    poll_.add(router_);
  }

  void say(const Message& message) {
    REQUIRE(router_.send(peer_, encode(message)) == transport::SendResult::kQueued);
  }
  /// The next M that comes; heartbeats are answered, other messages passed over.
  template <class M>
  M await() {
    const Duration give_up = transport::read_clock().mono + kPatience;
    while (transport::read_clock().mono < give_up) {
      const auto received = router_.receive();
      if (!received) {
        poll_.wait(from_ms(100));
        continue;
      }
      peer_ = received->peer;
      const auto message = decode(received->frame, Direction::kFromNode);
      REQUIRE(message);
      if (const auto* beat = std::get_if<msg::Heartbeat>(&*message))
        say(msg::HeartbeatReply{beat->seq});
      if (const auto* found = std::get_if<M>(&*message)) return *found;
    }
    FAIL("no such message came");
    return {};
  }
  void welcome() {
    await<msg::Hello>();
    say(msg::Welcome{{}, 20, 2000, 4000});
  }
  void assign(const AssignmentRef& ref, const TaskSpec& spec = make_spec({}, {})) {
    say(msg::Assign{{{ref, spec, Blob(std::string("in"))}}});
    REQUIRE(await<msg::AssignAck>().entries.at(0).code == ErrorCode::kOk);
  }
  void goodbye() {
    await<msg::Bye>();
    say(msg::Goodbye{});
  }

  std::string endpoint;

 private:
  transport::Context context_;
  transport::Router router_;
  transport::PollSet poll_;
  std::string peer_;
};

/// A node that runs on a thread of its own.
class Running {
 public:
  template <class AnyHandler>
  Running(const FakeBroker& broker, AnyHandler handler)
      : node(config(broker), std::move(handler)),
        end(std::async(std::launch::async, [this] { return node.run(); })) {}
  ~Running() { node.force(); }

  RunEnd await_end() {
    REQUIRE(end.wait_for(20s) == std::future_status::ready);
    return end.get();
  }

  Node node;
  std::future<RunEnd> end;

 private:
  static NodeConfig config(const FakeBroker& broker) {
    NodeConfig config;
    config.broker_endpoint = broker.endpoint;
    config.node_id = "n1";
    config.slots = 2;
    return config;
  }
};

AssignmentRef ref_of(std::string_view task) { return {*TaskId::parse(task), 1, 7}; }

TEST_CASE("a task runs with its fields, reports progress and gives its result") {
  FakeBroker broker;
  Running running(broker, [](const Task& task, TaskContext& context) {
    context.progress(0.5, "half");
    const auto steps = std::get<std::int64_t>(task.params.at("steps"));
    const auto nested = std::get<std::string>(task.params.at("nested"));
    return TaskResult::ok(fmt::format("{} {} {} {} {} {} {}", task.id, task.model, task.label,
                                      task.time_limit_ms, task.payload.str(), steps, nested),
                          "text/x");
  });
  broker.welcome();
  TaskSpec spec;
  spec.needs.model = "sdxl";
  spec.label = "a cat";
  spec.time_limit_ms = 60'000;
  const ValueMap params{{"steps", Value(20)}, {"nested", Value(ValueList{Value("a"), Value()})}};
  broker.assign(ref_of("t1"), make_spec(spec, {{"params", Value(params)}}));
  const auto result = broker.await<msg::Result>().entries.at(0);
  CHECK(result.data.view() == "t1 sdxl a cat 60000 in 20 [\"a\",null]");
  CHECK(get_string(result.info, "content_type") == "text/x");
  broker.say(msg::ResultAck{{{ref_of("t1"), ErrorCode::kOk}}});
  running.node.leave("enough");
  CHECK(broker.await<msg::Leave>().reason == "enough");
  broker.goodbye();
  CHECK(running.await_end().kind == RunEnd::Kind::kLeft);
}

TEST_CASE("each member that a task takes from the spec has the name of a key there") {
  Task task;
  const auto check = [](const std::string& key, const auto&) {
    INFO(key);
    CHECK((key == "params" || wire::spec_defaults().contains(key)));
  };
  Task::fields(check, task);
}

TEST_CASE("heartbeats go on while handlers run; an abort reaches them in every way") {
  FakeBroker broker;
  std::mutex mutex;
  std::condition_variable changed;
  bool called = false;
  Running running(broker, [&](const Task& task, TaskContext& context) {
    if (task.id == "callback") {
      context.on_abort([&] {
        const std::lock_guard lock(mutex);
        called = true;
        changed.notify_all();
      });
      std::unique_lock lock(mutex);
      changed.wait_for(lock, 20s, [&] { return called; });
    } else {
      context.wait_aborted(20s);
    }
    return context.aborted() ? TaskResult::ok("") : TaskResult::error("not told");
  });
  broker.welcome();
  broker.assign(ref_of("callback"));
  broker.assign(ref_of("wait"));
  for (int i = 0; i < 3; ++i) CHECK(broker.await<msg::Heartbeat>().held.size() == 2);
  for (const char* task : {"callback", "wait"}) {
    broker.say(msg::Abort{{{ref_of(task), ErrorCode::kCancelled}}});
    const auto ack = broker.await<msg::AbortAck>().entries.at(0);
    CHECK(ack.ref == ref_of(task));
    CHECK(ack.outcome == msg::AbortOutcome::kStopped);
  }
  running.node.leave();
  broker.goodbye();
  CHECK(running.await_end().kind == RunEnd::Kind::kLeft);
  CHECK(called);  // its thread has ended
}

TEST_CASE("a handler answers later, from another thread, and takes its slots until then") {
  FakeBroker broker;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Reply> replies;
  Running running(broker, AsyncHandler{[&](const Task& task, Reply reply) {
                    if (task.id == "throws") throw std::runtime_error("no engine");
                    reply.context().progress(0.5, "begun");
                    const std::lock_guard lock(mutex);
                    replies.push_back(std::move(reply));
                    changed.notify_all();
                  }});
  broker.welcome();
  broker.assign(ref_of("t1"));
  broker.assign(ref_of("t2"));
  broker.assign(ref_of("throws"));  // both slots are taken: it waits
  {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, 20s, [&] { return replies.size() == 2; }));
  }
  std::thread([&] { replies[0].finish(TaskResult::ok("later")); }).join();
  auto result = broker.await<msg::Result>().entries.at(0);
  CHECK(result.ref == ref_of("t1"));
  CHECK(result.data.view() == "later");
  result = broker.await<msg::Result>().entries.at(0);
  CHECK(result.ref == ref_of("throws"));
  CHECK(get_string(result.info, "error") == "the handler threw no engine");
  replies.clear();  // t2 gets no answer
  result = broker.await<msg::Result>().entries.at(0);
  CHECK(result.ref == ref_of("t2"));
  CHECK(get_string(result.info, "error") == "the handler gave no answer");
  for (const char* task : {"t1", "t2", "throws"})
    broker.say(msg::ResultAck{{{ref_of(task), ErrorCode::kOk}}});
  running.node.leave();
  broker.goodbye();
  CHECK(running.await_end().kind == RunEnd::Kind::kLeft);
}

TEST_CASE("a reply that outlives its node does nothing") {
  FakeBroker broker;
  std::promise<Reply> kept;
  std::optional<Reply> reply;
  {
    Running running(broker,
                    AsyncHandler{[&](const Task&, Reply r) { kept.set_value(std::move(r)); }});
    broker.welcome();
    broker.assign(ref_of("t1"));
    reply.emplace(kept.get_future().get());
    running.node.force();
    CHECK(broker.await<msg::Result>().entries.at(0).outcome == msg::Outcome::kReturned);
    broker.say(msg::ResultAck{{{ref_of("t1"), ErrorCode::kOk}}});
    broker.goodbye();
    CHECK(running.await_end().kind == RunEnd::Kind::kLeft);
  }
  CHECK(reply->context().aborted());
  reply->context().progress(1);
  reply->finish(TaskResult::ok("too late"));
}

TEST_CASE("the library keeps the time limit of a handler that would go on") {
  FakeBroker broker;
  Running running(broker, [](const Task&, TaskContext& context) {
    context.wait_aborted(20s);
    return context.aborted() ? TaskResult::ok("half a picture") : TaskResult::error("not told");
  });
  broker.welcome();
  TaskSpec spec;
  spec.time_limit_ms = 50;
  broker.assign(ref_of("t1"), make_spec(spec, {}));
  const auto result = broker.await<msg::Result>().entries.at(0);
  CHECK(result.outcome == msg::Outcome::kError);
  CHECK(get_uint(result.info, "code") == 503);
  CHECK(get_string(result.info, "error") == "time limit of 0.05 s exceeded");
  CHECK(result.data.empty());
  broker.say(msg::ResultAck{{{ref_of("t1"), ErrorCode::kOk}}});
  running.node.leave();
  broker.goodbye();
  CHECK(running.await_end().kind == RunEnd::Kind::kLeft);
}

TEST_CASE("an exception of the handler is an error result") {
  FakeBroker broker;
  Running running(
      broker, [](const Task&, TaskContext&) -> TaskResult { throw std::runtime_error("no GPU"); });
  broker.welcome();
  broker.assign(ref_of("t1"));
  const auto result = broker.await<msg::Result>().entries.at(0);
  CHECK(result.outcome == msg::Outcome::kError);
  CHECK(get_string(result.info, "error").find("no GPU") != std::string::npos);
  broker.say(msg::ResultAck{{{ref_of("t1"), ErrorCode::kOk}}});
  running.node.leave();
  broker.goodbye();
  CHECK(running.await_end().kind == RunEnd::Kind::kLeft);
}

TEST_CASE("force aborts handlers and gives their tasks back") {
  FakeBroker broker;
  Running running(broker, [](const Task&, TaskContext& context) {
    context.wait_aborted(20s);
    return TaskResult::ok("");
  });
  broker.welcome();
  broker.assign(ref_of("t1"));
  running.node.force();
  CHECK(broker.await<msg::Result>().entries.at(0).outcome == msg::Outcome::kReturned);
  broker.say(msg::ResultAck{{{ref_of("t1"), ErrorCode::kOk}}});
  broker.goodbye();
  CHECK(running.await_end().kind == RunEnd::Kind::kLeft);
}

TEST_CASE("a replaced session ends the node") {
  FakeBroker broker;
  Running running(broker, [](const Task&, TaskContext& context) {
    context.wait_aborted(20s);
    return TaskResult::ok("");
  });
  broker.welcome();
  broker.assign(ref_of("t1"));
  broker.say(msg::ErrorReply{0, ErrorCode::kSessionReplaced, ""});
  CHECK(running.await_end().kind == RunEnd::Kind::kSessionReplaced);
}

TEST_CASE("an unknown session is greeted again, with its result") {
  FakeBroker broker;
  Running running(broker, [](const Task& task, TaskContext&) { return TaskResult::ok(task.id); });
  broker.welcome();
  broker.assign(ref_of("t1"));
  broker.await<msg::Result>();
  broker.say(msg::ErrorReply{0, ErrorCode::kUnknownSession, ""});
  CHECK(broker.await<msg::Hello>().held == std::vector{ref_of("t1")});
  broker.say(msg::Welcome{{}, 20, 2000, 4000});
  CHECK(broker.await<msg::Result>().entries.at(0).data.view() == "t1");
  running.node.force();
  broker.say(msg::ResultAck{{{ref_of("t1"), ErrorCode::kOk}}});
  broker.goodbye();
  CHECK(running.await_end().kind == RunEnd::Kind::kLeft);
}

TEST_CASE("loaded models are told with the heartbeat; wrong names are refused") {
  FakeBroker broker;
  Running running(broker, [](const Task&, TaskContext&) { return TaskResult::ok(""); });
  broker.welcome();
  running.node.set_loaded_models({"flux"});
  while (broker.await<msg::Heartbeat>().loaded_models.empty()) {
  }
  CHECK_THROWS_AS(running.node.set_loaded_models({""}), std::invalid_argument);
  running.node.leave();
  broker.goodbye();
  CHECK(running.await_end().kind == RunEnd::Kind::kLeft);
}

}  // namespace
}  // namespace genai::node
