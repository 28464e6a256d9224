// What silence means: whose it is, and what is done about it while it lasts.
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

/// Passes `ms` in which only the given broker is heard.
void hear_only(World& w, std::size_t broker, std::uint64_t ms) {
  for (std::uint64_t done = 0; done < ms; done += 500) {
    w.advance(500);
    w.link(msg::LinkHeartbeat{World::broker_id(broker), w.seqs[broker]}, broker);
    w.step();
  }
}

/// Passes `ms` in which no broker is heard.
void hear_nobody(World& w, std::uint64_t ms) {
  w.broker_silent = true;
  w.run_for(ms);
  w.broker_silent = false;
}

}  // namespace

TEST_CASE("a broker that comes up starts the grace of the nodes that another's end cut off") {
  World w({}, {"ipc://one", "ipc://two"});
  w.snapshot({World::entry(1)}, 0);
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  hear_nobody(w, 20'000);
  CHECK(w.status("t") == TaskStatus::kSent);
  w.snapshot({World::entry(2)}, 1);
  hear_only(w, 1, 4'500);
  CHECK(w.status("t") == TaskStatus::kSent);
  hear_only(w, 1, 1'000);
  CHECK(w.take_only_assigned().first == 2);
}

TEST_CASE("when the last broker goes down too, nothing is requeued") {
  World w({}, {"ipc://one", "ipc://two"});
  w.snapshot({World::entry(1)}, 0);
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.snapshot({World::entry(2)}, 1);
  hear_only(w, 1, 2'000);  // so that the brokers are not given up at the same time
  hear_nobody(w, 30'000);
  CHECK(w.status("t") == TaskStatus::kSent);
}

TEST_CASE("a loop that sleeps as long as it may is not late by that") {
  Config config;
  config.heartbeat = from_ms(1'000);
  config.lost = from_ms(2'000);
  World w(config);
  w.snapshot({World::entry(1)});
  w.notes.clear();
  w.broker_silent = true;
  for (const Duration start = w.now.mono; w.now.mono < start + from_ms(3'000);) {
    w.advance(to_ms(w.core.next_deadline() - w.now.mono) + 1);
    w.step();
  }
  CHECK(w.reopened == 1);  // the silent broker was judged
  for (const LogEvent& note : w.notes) CHECK(note.text.find("late") == std::string::npos);
}

TEST_CASE("an assignment unanswered while its broker is silent waits for the broker") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  auto [node, ref] = w.take_only_assigned();
  hear_nobody(w, 20'000);
  CHECK(w.status("t") == TaskStatus::kScheduled);
  CHECK(w.take_to_nodes<msg::Abort>().empty());
  w.snapshot({World::entry(1)});
  CHECK(w.take_only_assigned().second == ref);
  SECTION("the node answers") {
    w.run_for(2'500);  // as long as any other answer may take
    w.ack(node, ref);
    CHECK(w.status("t") == TaskStatus::kSent);
    CHECK(w.task("t").issued.size() == 1);
  }
  SECTION("the node does not answer, though its broker is heard again") {
    w.run_for(3'100);
    CHECK(w.take_to_nodes<msg::Abort>().at(0).second.ref == ref);
  }
}
