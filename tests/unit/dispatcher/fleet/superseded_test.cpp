// A dispatcher whose brokers serve another one.
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::World;

namespace {

std::vector<std::uint64_t> take_epochs(World& w) {
  std::vector<std::uint64_t> epochs;
  for (auto& [broker, message] : w.to_brokers)
    if (const auto* hello = std::get_if<msg::LinkHello>(&message)) epochs.push_back(hello->epoch);
  w.to_brokers.clear();
  return epochs;
}

std::size_t told(const World& w, std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(w.notes, [&](const LogEvent& note) { return note.text == text; }));
}

constexpr std::string_view kNotServed = "the broker does not serve this dispatcher, trying on";

void refuse(World& w, ErrorCode code, std::size_t broker = 0) {
  w.link(msg::ErrorReply{0, code, "because"}, broker);
  w.step();
}

/// Answers each question with that refusal.
void refuse_for(World& w, ErrorCode code, int seconds) {
  w.broker_silent = true;
  for (int i = 0; i < seconds; ++i) {
    w.run_for(1000);
    if (!take_epochs(w).empty()) refuse(w, code);
  }
}

}  // namespace

TEST_CASE("clients of a superseded dispatcher are told why nothing runs") {
  World w;
  w.snapshot({World::entry(1)});
  TaskSpec of_nobody;
  of_nobody.needs.model = "flux";
  w.submit("waits", of_nobody);
  refuse(w, ErrorCode::kSuperseded);
  CHECK(w.take_only_error() == ErrorCode::kSuperseded);  // unasked: it may only wait
  refuse(w, ErrorCode::kSuperseded);
  CHECK(w.take_to_client<msg::ErrorReply>().empty());
  CHECK(w.submit("late").code == ErrorCode::kSuperseded);
  w.from_client(msg::StatusQuery{7, {test::task_id("waits")}});
  const auto tasks = w.take_to_client<msg::Tasks>();
  REQUIRE(tasks.size() == 1);
  CHECK(get_string(tasks[0].tasks.at(0), "waiting").find("another dispatcher") !=
        std::string::npos);
  w.from_client(msg::StatsQuery{8});
  const auto stats = w.take_to_client<msg::Stats>().at(0).stats;
  const auto& brokers = std::get<ValueList>(stats.at("brokers").v);
  CHECK(get_string(std::get<ValueMap>(brokers.at(0).v), "state") == "superseded");

  w.snapshot({World::entry(1)});  // it serves again
  CHECK(w.submit("late").code == ErrorCode::kOk);
}

TEST_CASE("a broker that refuses this dispatcher is asked rarely, and told of once a minute") {
  const auto code = GENERATE(ErrorCode::kSuperseded, ErrorCode::kNotAllowed);
  World w;
  w.step();
  refuse(w, code);
  take_epochs(w);
  w.broker_silent = true;
  w.run_for(4'999);
  CHECK(take_epochs(w).empty());
  w.run_for(1);
  CHECK(take_epochs(w).size() == 1);
  refuse(w, code);
  refuse_for(w, code, 114);
  CHECK(told(w, kNotServed) == 2);
  refuse_for(w, code, 10);
  CHECK(told(w, kNotServed) == 3);
}

TEST_CASE("a task waits because no broker lets the dispatcher in, and says so") {
  World w;
  w.step();
  w.submit("t");
  refuse(w, ErrorCode::kNotAllowed);
  w.from_client(msg::StatusQuery{7, {test::task_id("t")}});
  const auto tasks = w.take_to_client<msg::Tasks>();
  CHECK(get_string(tasks.at(0).tasks.at(0), "waiting").find("not authorized") != std::string::npos);
}

TEST_CASE("one broker of two is enough to serve") {
  World w({}, {"ipc://one", "ipc://two"});
  w.snapshot({World::entry(1)}, 0);
  refuse(w, ErrorCode::kSuperseded, 1);
  CHECK(w.submit("t").code == ErrorCode::kOk);
  refuse(w, ErrorCode::kSuperseded, 0);
  CHECK(w.submit("u").code == ErrorCode::kSuperseded);
}

TEST_CASE("a superseded dispatcher serves again, with a later epoch, once no other does") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  const auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  refuse(w, ErrorCode::kSuperseded);
  CHECK(!w.core.wants_epoch());
  refuse(w, ErrorCode::kEpochTooLow);
  CHECK(w.core.wants_epoch());
  CHECK(w.submit("u").code == ErrorCode::kSuperseded);  // not yet
  take_epochs(w);
  w.core.raise_epoch(World::kEpoch + 5, w.now);
  CHECK(!w.core.wants_epoch());
  w.step();
  CHECK(take_epochs(w) == std::vector<std::uint64_t>{World::kEpoch + 5});
  w.snapshot({World::entry(1, 1, {ref})});
  w.result(node, ref);  // of the epoch before: it is this store's all the same
  CHECK(w.status("t") == TaskStatus::kCompleted);
  CHECK(w.submit("u").code == ErrorCode::kOk);
  CHECK(w.take_only_assigned().second.epoch == World::kEpoch + 5);
  w.from_client(msg::Ping{9});
  CHECK(w.take_to_client<msg::Pong>().at(0).epoch == World::kEpoch + 5);
}

TEST_CASE("what a broker said that is gone holds no more") {
  World w;
  w.step();
  refuse(w, ErrorCode::kSuperseded);
  w.broker_silent = true;
  w.run_for(9'999);
  CHECK(w.submit("t").code == ErrorCode::kSuperseded);
  w.run_for(1);
  CHECK(w.submit("t").code == ErrorCode::kOk);
}

TEST_CASE("a broker that never answers is told of once a minute") {
  World w;
  w.broker_silent = true;
  w.run_for(9'999);
  CHECK(told(w, "no answer from the broker, trying on") == 0);
  w.run_for(50'000);
  CHECK(told(w, "no answer from the broker, trying on") == 1);
  w.run_for(60'000);
  CHECK(told(w, "no answer from the broker, trying on") == 2);
}
