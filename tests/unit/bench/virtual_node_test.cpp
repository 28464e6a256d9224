#include "tools/bench/virtual_node.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "protocol/wire/codec.h"

using namespace genai;
using namespace genai::bench;

namespace {

AssignmentRef ref(const std::string& id) { return {*TaskId::parse(id), 1, 1}; }

/// A node, its clock, and what it has said.
struct Bench {
  explicit Bench(NodeTraits traits) : node(std::move(traits), Draw(1)) {}

  void assign(const std::string& id, std::uint64_t work_ms, const std::string& model = {}) {
    TaskSpec spec;
    spec.needs.model = model;
    tell(msg::Assign{{{ref(id), make_spec(spec, {}), payload_of(from_ms(work_ms))}}});
  }
  msg::AbortOutcome abort(const std::string& id, ErrorCode code) {
    tell(msg::Abort{{{ref(id), code}}});
    return std::get<msg::AbortAck>(said.back()).entries.at(0).outcome;
  }
  void tell(const ToNode& message) {
    node.handle(message);
    tick();
  }
  void run_until(std::uint64_t ms) {
    for (; node.next_deadline() <= from_ms(ms); tick()) now = node.next_deadline();
    now = from_ms(ms);
  }
  void tick() {
    node.tick(now);
    for (FromNode& message : node.take_messages()) {
      if (const auto* result = std::get_if<msg::Result>(&message))
        for (const auto& entry : result->entries) results.emplace_back(entry, to_ms(now));
      said.push_back(std::move(message));
    }
    most_running = std::max(most_running, node.running());
  }
  /// "a@1000": finished then.
  std::vector<std::string> finished() const {
    std::vector<std::string> out;
    for (const auto& [entry, at_ms] : results)
      out.push_back(entry.ref.task_id.str() + "@" + std::to_string(at_ms));
    return out;
  }

  VirtualNode node;
  Duration now{0};
  std::vector<FromNode> said;
  std::vector<std::pair<msg::Result::Entry, std::uint64_t>> results;
  std::size_t most_running = 0;
};

using Strings = std::vector<std::string>;

NodeTraits painter(std::size_t memory_models = 1) {
  return {.models = {{"sdxl", from_ms(20'000)}, {"flux", from_ms(30'000)}},
          .loaded = {"sdxl"},
          .memory_models = memory_models};
}

}  // namespace

TEST_CASE("a virtual node runs no more than its slots at once, in the order of assignment") {
  Bench b({.slots = 2});
  for (const char* id : {"a", "b", "c", "d"}) b.assign(id, 1000);
  b.assign("e", 500);
  CHECK(b.node.running() == 2);
  b.run_until(10'000);
  CHECK(b.finished() == Strings{"a@1000", "b@1000", "c@2000", "d@2000", "e@2500"});
  CHECK(b.most_running == 2);
}

TEST_CASE("run time is work divided by speed") {
  Bench b({.speed = 4});
  b.assign("a", 1000);
  b.run_until(10'000);
  CHECK(b.finished() == Strings{"a@250"});
  CHECK(get_uint(b.results[0].first.info, "run_ms") == 250);
  CHECK(b.results[0].first.outcome == msg::Outcome::kOk);
}

TEST_CASE("a virtual node acknowledges each assignment and runs a repeated one once") {
  Bench b({});
  b.assign("a", 1000);
  b.assign("a", 1000);
  CHECK(std::ranges::count_if(b.said, [](const FromNode& message) {
          return std::holds_alternative<msg::AssignAck>(message);
        }) == 2);
  b.run_until(10'000);
  CHECK(b.finished() == Strings{"a@1000"});
}

TEST_CASE("a virtual node holds a task until its result is acknowledged") {
  Bench b({});
  b.assign("a", 1000);
  b.run_until(5000);
  CHECK(b.node.held() == std::vector{ref("a")});
  CHECK(b.abort("a", ErrorCode::kCancelled) == msg::AbortOutcome::kFinished);
  b.tell(msg::ResultAck{{{ref("a"), ErrorCode::kOk}}});
  CHECK(b.node.held().empty());
}

TEST_CASE("a model that is not in memory is loaded before the run, and that is told apart") {
  Bench b(painter());
  b.assign("a", 1000, "sdxl");
  b.assign("b", 1000, "flux");
  b.run_until(1500);
  CHECK(b.node.loaded_models().empty());  // out with the old, the new one is not there yet
  CHECK(b.node.take_memory_changed());
  CHECK_FALSE(b.node.take_memory_changed());
  b.run_until(31'500);
  CHECK(b.node.loaded_models() == Strings{"flux"});
  CHECK(b.node.take_memory_changed());
  b.run_until(40'000);
  CHECK(b.finished() == Strings{"a@1000", "b@32000"});
  CHECK_FALSE(b.results[0].first.info.contains("load_ms"));
  CHECK(get_uint(b.results[1].first.info, "load_ms") == 30'000);
  CHECK(get_uint(b.results[1].first.info, "run_ms") == 1000);
  CHECK(b.node.loads() == 1);
}

TEST_CASE("with room in memory for two models, both stay") {
  Bench b(painter(2));
  b.assign("a", 1000, "flux");
  b.assign("b", 1000, "sdxl");
  b.assign("c", 1000, "flux");
  b.run_until(100'000);
  CHECK(b.finished() == Strings{"a@31000", "b@32000", "c@33000"});
  CHECK(b.node.loads() == 1);
}

TEST_CASE("a model in use is not driven out: the next waits although a slot is free") {
  NodeTraits traits = painter();
  traits.slots = 2;
  Bench b(traits);
  b.assign("a", 1000, "sdxl");
  b.assign("b", 1000, "flux");
  b.assign("c", 1000, "sdxl");
  CHECK(b.node.running() == 1);
  b.run_until(200'000);
  CHECK(b.finished() == Strings{"a@1000", "b@32000", "c@53000"});
}

TEST_CASE("taken back is what has not started; any other abort stops what runs") {
  Bench b({});
  for (const char* id : {"a", "b", "c"}) b.assign(id, 1000);
  CHECK(b.abort("a", ErrorCode::kTakenBack) == msg::AbortOutcome::kStarted);
  CHECK(b.abort("b", ErrorCode::kTakenBack) == msg::AbortOutcome::kStopped);
  CHECK(b.abort("b", ErrorCode::kTakenBack) == msg::AbortOutcome::kNotHeld);
  b.run_until(500);
  CHECK(b.abort("a", ErrorCode::kCancelled) == msg::AbortOutcome::kStopped);
  b.run_until(10'000);
  CHECK(b.finished() == Strings{"c@1500"});
}

TEST_CASE("a failing node fails its share after the full run time") {
  Bench b({.failure_ratio = 0.5});
  for (int i = 0; i < 200; ++i) b.assign("t-" + std::to_string(i), 10);
  b.run_until(2000);
  REQUIRE(b.results.size() == 200);
  CHECK(b.results.back().second == 2000);
  const auto errors = static_cast<std::size_t>(std::ranges::count_if(
      b.results, [](const auto& r) { return r.first.outcome == msg::Outcome::kError; }));
  CHECK(errors == b.node.errors());
  CHECK(errors > 70);
  CHECK(errors < 130);
}

TEST_CASE("a task for a model that is not on its disk is the dispatcher's error") {
  Bench b(painter());
  CHECK_THROWS_AS(b.assign("a", 1000, "sd15"), std::logic_error);
}
