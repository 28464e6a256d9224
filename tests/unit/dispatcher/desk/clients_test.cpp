#include "dispatcher/desk/clients.h"

#include <catch2/catch.hpp>
#include <map>

using namespace genai;
using namespace genai::dispatcher;

namespace {

/// The task of that sequence, the same each time.
Task& id(unsigned number) {
  static std::map<unsigned, Task> tasks;
  tasks[number].sequence = tasks[number].handle = number;
  return tasks[number];
}

}  // namespace

TEST_CASE("resends come less and less often while nothing is acknowledged") {
  Clients clients(from_ms(1'000));
  clients.enqueue("peer", id(1));
  Duration now{0};
  std::vector<std::uint64_t> gaps;
  for (int i = 0; i < 15; ++i) {
    clients.take_ready();
    const Task* next = clients.next("peer");
    REQUIRE(next);
    clients.sent("peer", *next, 10, now);
    CHECK(clients.next("peer") == nullptr);
    gaps.push_back(to_ms(clients.next_deadline() - now));
    now = clients.next_deadline();
    clients.tick(now);
  }
  CHECK(gaps[0] == 1'000);
  CHECK(gaps[1] == 2'000);
  CHECK(gaps.back() == 12'000);
}

TEST_CASE("the window is bounded by count") {
  Clients clients(from_ms(1'000));
  for (unsigned i = 0; i < 2'000; ++i) clients.enqueue("peer", id(i));
  std::size_t sent = 0;
  while (const Task* next = clients.next("peer")) {
    clients.sent("peer", *next, 1, Duration{0});
    ++sent;
  }
  CHECK(sent == kWindowResults);
  clients.take_ready();
  clients.acknowledged("peer", id(0));
  CHECK(clients.take_ready() == std::vector<std::string>{"peer"});
  CHECK(clients.next("peer") != nullptr);
}

TEST_CASE("a client that watches nothing any more leaves no trace") {
  Clients clients(from_ms(1'000));
  clients.watch("peer", "", msg::WatchLevel::kResult, id(1));
  clients.enqueue("peer", id(1));
  clients.sent("peer", *clients.next("peer"), 1, Duration{0});
  CHECK(!clients.is_idle());
  clients.acknowledged("peer", id(1));
  CHECK(clients.size() == 0);
  CHECK(clients.next_deadline() == kNever);
  CHECK(clients.is_idle());
}

TEST_CASE("removing a client returns what it watched") {
  Clients clients(from_ms(1'000));
  clients.watch("peer", "", msg::WatchLevel::kResult, id(1));
  clients.watch("peer", "", msg::WatchLevel::kResult, id(2));
  CHECK(clients.remove("peer").size() == 2);
  CHECK(clients.remove("peer").empty());
}

TEST_CASE("only what has waited for its time is sent again") {
  Clients clients(from_ms(1'000));
  const auto send = [&](unsigned number, std::uint64_t at_ms) {
    clients.enqueue("peer", id(number));
    clients.sent("peer", *clients.next("peer"), 1, from_ms(at_ms));
  };
  send(1, 0);
  send(2, 10);
  send(3, 900);
  clients.acknowledged("peer", id(1));
  clients.watch("peer", "", msg::WatchLevel::kResult, id(9));
  clients.tick(from_ms(1'000));
  CHECK(clients.next("peer") == nullptr);  // the first is acknowledged, the second not yet due
  CHECK(clients.next_deadline() == from_ms(1'010));
  clients.tick(from_ms(1'010));
  REQUIRE(clients.next("peer") != nullptr);
  CHECK(clients.next("peer") == &id(2));
  clients.sent("peer", id(2), 1, from_ms(1'010));
  CHECK(clients.next("peer") == nullptr);
}

TEST_CASE("what is asked for again and again is queued once and opens no window") {
  Clients clients(from_ms(1'000));
  const auto ask_for_all = [&] {
    for (unsigned i = 0; i < kWindowResults + 10; ++i) clients.enqueue("peer", id(i));
  };
  const auto send_all = [&] {
    std::size_t sent = 0;
    for (; const Task* next = clients.next("peer"); ++sent)
      clients.sent("peer", *next, 1, Duration{0});
    return sent;
  };
  ask_for_all();
  ask_for_all();
  CHECK(send_all() == kWindowResults);
  ask_for_all();
  CHECK(send_all() == 0);
  for (unsigned i = 0; i < kWindowResults; ++i) clients.acknowledged("peer", id(i));
  CHECK(send_all() == 10);  // and not once for each time they were asked for
  CHECK(!clients.is_idle());
  for (unsigned i = 0; i < 10; ++i) clients.acknowledged("peer", id(kWindowResults + i));
  CHECK(clients.size() == 0);
}

TEST_CASE("who watches a task comes in order, the oldest makes room, and a repeated watch is one") {
  Clients clients(from_ms(1'000));
  const auto peer = [](unsigned number) { return "peer-" + std::to_string(number); };
  for (unsigned i = 0; i < kMaxWatchers; ++i)
    clients.watch(peer(i), "", msg::WatchLevel::kResult, id(1));
  clients.watch(peer(0), "", msg::WatchLevel::kProgress, id(1));
  CHECK(clients.watchers(id(1)) == kMaxWatchers);
  clients.watch("new", "", msg::WatchLevel::kResult, id(1));
  CHECK(clients.watchers(id(1)) == kMaxWatchers);
  CHECK(clients.watched(peer(0)) == 1);  // it had asked again
  CHECK(clients.watched(peer(1)) == 0);
  std::vector<std::pair<std::string, msg::WatchLevel>> seen;
  clients.each_watcher(
      id(1), [&](const std::string& who, msg::WatchLevel level) { seen.emplace_back(who, level); });
  CHECK(seen.front().first == peer(2));
  CHECK(seen[kMaxWatchers - 2] == std::pair(peer(0), msg::WatchLevel::kProgress));
  CHECK(seen.back().first == "new");
  clients.enqueue(id(1));
  CHECK(clients.take_ready().size() == kMaxWatchers);
}

TEST_CASE("of a task that is forgotten nothing is left for the next one of its handle") {
  Clients clients(from_ms(1'000));
  Task& task = id(1);
  clients.watch("peer", "", msg::WatchLevel::kResult, task);
  clients.watch("peer", "", msg::WatchLevel::kResult, id(2));
  clients.enqueue("peer", task);
  clients.acknowledge(task);
  clients.forget(task.handle);
  CHECK(!clients.is_watched(task));
  CHECK(!clients.is_acknowledged(task));
  Task another;
  another.handle = task.handle;
  another.sequence = 77;
  clients.watch("peer", "", msg::WatchLevel::kResult, another);
  CHECK(clients.next("peer") == nullptr);  // it has not ended
  clients.enqueue(another);
  CHECK(clients.next("peer") == &another);
}
