// How long tasks wait for the nodes that had them before a restart.
#include "dispatcher/tasks/recovery.h"

#include <catch2/catch.hpp>

using namespace genai;
using namespace genai::dispatcher;

namespace {

constexpr Duration kGrace = from_ms(5'000), kStart = from_ms(100'000);

Task waiting(std::uint64_t sequence) {
  Task task;
  task.sequence = sequence;
  task.recovering = true;
  task.issued = {{1, 3, {}, *NodeId::parse("n")}};
  task.current = 1;
  return task;
}

}  // namespace

TEST_CASE("nodes have their time from the first broker's list on, however late that comes") {
  Recovery recovery(kGrace);
  Task task = waiting(1);
  recovery.add(task);
  recovery.check();
  CHECK(recovery.next_deadline() == kNever);
  CHECK(recovery.expire(kStart).empty());
  recovery.link_up(kStart);
  CHECK(recovery.next_deadline() == kStart + kGrace);
  recovery.link_up(kStart + from_ms(1'000));  // another broker's list changes nothing
  CHECK(recovery.next_deadline() == kStart + kGrace);
  CHECK(recovery.expire(kStart + kGrace - from_ms(1)).empty());
  CHECK(recovery.size() == 1);
  CHECK(recovery.expire(kStart + kGrace) == std::vector<Task*>{&task});
  CHECK(recovery.size() == 0);
  CHECK(recovery.next_deadline() == kNever);
  CHECK(recovery.expire(kStart + 2 * kGrace).empty());
}

TEST_CASE("what nobody reports is given up in the order of acceptance, without the reported") {
  Recovery recovery(kGrace);
  Task a = waiting(1), b = waiting(2), c = waiting(3), d = waiting(4);
  for (Task* task : {&c, &a, &d, &b}) recovery.add(*task);
  recovery.link_up(kStart);
  recovery.remove(b);
  recovery.remove(b);  // it does not matter who is told twice
  CHECK(recovery.size() == 3);
  CHECK(recovery.expire(kStart + kGrace) == std::vector<Task*>{&a, &c, &d});
}

TEST_CASE("without tasks that wait there is no time to wait for") {
  Recovery recovery(kGrace);
  recovery.link_up(kStart);
  CHECK(recovery.next_deadline() == kNever);
}
