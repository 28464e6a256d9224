#include "dispatcher/backlog.h"

#include <catch2/catch.hpp>

using namespace genai;
using namespace genai::dispatcher;

namespace {

Task make(std::uint64_t sequence, const std::string& model = "") {
  Task task;
  task.sequence = sequence;
  task.spec.needs.model = model;
  return task;
}

}  // namespace

TEST_CASE("classes come in the order of their oldest task") {
  Backlog backlog;
  Task a = make(1, "x"), b = make(2, "y"), c = make(3, "x");
  for (Task* task : {&c, &b, &a}) backlog.add(*task);
  backlog.check_invariants();
  CHECK(backlog.size() == 3);
  CHECK(backlog.by_age().begin()->second->needs.model == "x");
  backlog.remove(a);
  backlog.check_invariants();
  CHECK(backlog.by_age().begin()->second->needs.model == "y");
}

TEST_CASE("an old task that comes back is its class's first again") {
  Backlog backlog;
  Task old = make(1), young = make(2);
  backlog.add(young);
  backlog.add(old);
  CHECK(backlog.by_age().begin()->second->queue.begin()->second == &old);
}

TEST_CASE("an emptied class is gone") {
  Backlog backlog;
  Task task = make(1, "x");
  backlog.add(task);
  backlog.remove(task);
  backlog.check_invariants();
  CHECK(backlog.empty());
  CHECK(backlog.by_age().empty());
}
